"""What all tests share: checked annotations, and a process that does not grow with every compiled program."""

import sys

import pytest
from jaxtyping import install_import_hook

install_import_hook("bsi.runtime", "beartype.beartype")


@pytest.fixture(scope="module", autouse=True)
def _forget_compiled_programs():
    """A thousand programs in one process exhaust the memory maps that Linux grants it; and a run's cache on disk is not
    meant for the tests after it."""
    yield
    if "jax" in sys.modules:
        import jax
        from jax.experimental.compilation_cache import compilation_cache

        jax.clear_caches()
        jax.config.update("jax_compilation_cache_dir", None)
        compilation_cache.reset_cache()
