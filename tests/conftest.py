"""Shape and type annotations of the runtime are checked while the tests run."""

from jaxtyping import install_import_hook

install_import_hook("bsi.runtime", "beartype.beartype")
