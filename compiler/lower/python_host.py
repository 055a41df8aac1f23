"""User code: loads the functions that a model names, calls them on whole batches, and keeps what goes wrong.

A function outside JAX runs in a callback. What it raises cannot leave a compiled program as itself, so the host keeps
it, the result is `nan`, and the job that asked looks at `failure` when its program is done.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from bsi.compiler.ir import Expr, PythonCode, Simulator
from bsi.compiler.lower.expr import Env
from bsi.compiler.simulator_calls import SimulatorFailure

HOST = "%host"


class Host:
    """`failure` is the first thing that went wrong in user code since it was last taken."""

    def __init__(self) -> None:
        self.failure: SimulatorFailure | None = None

    def take(self) -> SimulatorFailure | None:
        """The failure, which is forgotten here."""
        failure, self.failure = self.failure, None
        return failure


def run(call: Expr, env: Env, arguments: tuple[Array, ...], key: PRNGKeyArray | None) -> Array:
    """Result of a `python` simulator. Without a host in `env` nothing is imported, and only the shape is right."""
    simulator: Simulator = call.value
    dtype = jax.dtypes.canonicalize_dtype(int if simulator.integer else float)
    host = env.get(HOST)
    if host is None:
        return jnp.zeros(call.shape, dtype)
    options = dict(simulator.options)
    if options["jax"]:
        return _traced(call, arguments, key, options["batch"], dtype)
    data = () if key is None else (jr.key_data(key),)
    return jax.pure_callback(
        _callback(host, call, options["batch"], dtype),
        jax.ShapeDtypeStruct(call.shape, dtype),
        arguments,
        data,
        vmap_method="broadcast_all",
    )


def _callback(host: Host, call: Expr, batch: bool, dtype: Any) -> Callable[..., np.ndarray]:
    """A function of arrays with any leading axes in common, which are those of the batch."""
    simulator: Simulator = call.value
    ranks = [len(arg.shape) for arg in call.args]

    def rows(arguments: tuple[Any, ...], data: tuple[Any, ...]) -> np.ndarray:
        every = [*(np.asarray(a) for a in arguments), *(np.asarray(d) for d in data)]
        inner = [*ranks, *(1 for _ in data)]
        lead = every[0].shape[: every[0].ndim - inner[0]] if every else ()
        flat = [a.reshape(-1, *a.shape[a.ndim - r :]) for a, r in zip(every, inner, strict=True)]
        values = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in flat[: len(ranks)]]
        seeds = flat[len(ranks)] if data else None
        n = len(flat[0]) if flat else 1
        try:
            function = load(simulator)
            result = _batched(function, simulator, call, values, seeds, n) if batch else None
            if result is None:
                result = _one_by_one(function, simulator, call, values, seeds, n)
        except SimulatorFailure as failure:
            host.failure = host.failure or failure
            return np.full((*lead, *call.shape), np.nan if dtype.kind == "f" else 0, dtype)
        return result.astype(dtype).reshape(*lead, *call.shape)

    return rows


def _batched(
    function: Callable[..., Any], simulator: Simulator, call: Expr, values: list[Any], seeds: Any, n: int
) -> np.ndarray:
    generators = () if seeds is None else (_generator(seeds),)
    return _result(_called(function, simulator, *values, *generators), simulator, (n, *call.shape))


def _one_by_one(
    function: Callable[..., Any], simulator: Simulator, call: Expr, values: list[Any], seeds: Any, n: int
) -> np.ndarray:
    results = []
    for i in range(n):
        generators = () if seeds is None else (_generator(seeds[i]),)
        row = _called(function, simulator, *(_scalar(value[i]) for value in values), *generators)
        results.append(_result(row, simulator, call.shape))
    return np.stack(results)


def _scalar(value: Any) -> Any:
    """A row's number as a Python number, its array as an array."""
    return value.item() if np.ndim(value) == 0 else value


def _generator(seeds: np.ndarray) -> np.random.Generator:
    """Random numbers that follow from the keys of the rows, whatever their number."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(seeds.tobytes()).digest()[:16], "little"))


def _called(function: Callable[..., Any], simulator: Simulator, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:  # whatever a user's code may raise
        message = f"`{simulator.name}` raised {type(error).__name__}: {error}"
        raise SimulatorFailure("R109", simulator.name, message, _where(error, simulator)) from error


def _where(error: BaseException, simulator: Simulator) -> str:
    """The deepest line of the user's file that the error passed."""
    assert simulator.code
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == simulator.code.file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return (
        f"see line {line} of `{Path(simulator.code.file).name}`" if line else "call the function by itself to see why"
    )


def _result(value: Any, simulator: Simulator, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.shape != shape or array.dtype.kind not in ("iub" if simulator.integer else "iubf"):
        got = f"an array of shape {list(array.shape)} and type {array.dtype}"
        wanted = f"{'whole' if simulator.integer else 'real'} numbers of shape {list(shape)}"
        help = "a batched function gives one row for each row of its arguments" if shape[:1] else "return one number"
        raise SimulatorFailure("R110", simulator.name, f"`{simulator.name}` returned {got}, not {wanted}", help)
    return array


# ---------------------------------------------------------------- written in JAX


def _traced(call: Expr, arguments: tuple[Array, ...], key: PRNGKeyArray | None, batch: bool, dtype: Any) -> Array:
    simulator: Simulator = call.value
    function = load(simulator)
    keys = () if key is None else (key,)

    def one(*inputs: Array) -> Array:
        if batch:
            return checked(*(jnp.asarray(x)[None] for x in inputs))[0]
        return checked(*inputs)

    def checked(*inputs: Array) -> Array:
        value = _called(function, simulator, *inputs)
        shape = (inputs[0].shape[0], *call.shape) if batch else call.shape
        if jnp.shape(value) != shape or not jnp.issubdtype(jnp.result_type(value), jnp.number):
            got = f"an array of shape {list(jnp.shape(value))}"
            message = f"`{simulator.name}` returned {got}, not {list(shape)}"
            raise SimulatorFailure(
                "R110", simulator.name, message, "compare with the shape that the simulator declares"
            )
        return jnp.asarray(value).astype(dtype)

    return one(*arguments, *keys)


# ---------------------------------------------------------------- modules


def load(simulator: Simulator) -> Callable[..., Any]:
    """The function of a user's module, imported when it is first needed.

    Raises:
        SimulatorFailure: the file has changed since it was checked, or cannot be imported.
    """
    assert simulator.code
    code: PythonCode = simulator.code
    place = hashlib.sha256(f"{code.file}:{code.digest}".encode()).hexdigest()[:12]
    name = f"{code.module}@{place}"  # a changed file is another module; its package stays the same
    if name not in sys.modules:
        _import(name, code, simulator)
    function = getattr(sys.modules[name], code.function, None)
    if not callable(function):
        message = f"`{code.function}` of `{Path(code.file).name}` is not a function"
        raise SimulatorFailure("R111", simulator.name, message, "name a function")
    return function


def _import(name: str, code: PythonCode, simulator: Simulator) -> None:
    folder = str(Path(code.file).parents[code.module.count(".")].resolve())
    spec = importlib.util.spec_from_file_location(name, code.file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, folder)  # what the module imports may stand beside it
    sys.modules[name] = module  # dataclasses look their module up
    try:
        if hashlib.sha256(Path(code.file).read_bytes()).hexdigest() != code.digest:
            raise ImportError("the file has changed since the model was read")
        if "." in code.module:
            importlib.import_module(code.module.rpartition(".")[0])  # for relative imports
        with jax.ensure_compile_time_eval():  # its constants are values, also when a trace asks for it first
            spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's module may raise
        del sys.modules[name]
        message = f"`{Path(code.file).name}` cannot be imported: {type(error).__name__}: {error}"
        raise SimulatorFailure("R111", simulator.name, message, _where(error, simulator)) from error
    finally:
        sys.path.remove(folder)
