"""Score-based Bayesian inference in JAX; knows nothing of the language."""

import os
from importlib.metadata import version

# jaxlib 0.10 on a CPU can wait for ever: batched factorisations that run at the same time, as many as there are cores,
# each hold a thread and wait for another one. XLA's sequential schedule never runs two at once. It is read when JAX
# first computes. `tests/runtime/test_concurrency.py` hangs, and fails, where this is still needed and not done.
_SEQUENTIAL = "--xla_cpu_enable_concurrency_optimized_scheduler"
if version("jaxlib").startswith("0.10.") and _SEQUENTIAL not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_SEQUENTIAL}=false".lstrip()
