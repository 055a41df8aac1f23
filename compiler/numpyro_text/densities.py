"""Laws as text: a NumPyro distribution whose `log_prob` of one value is a single number."""

from __future__ import annotations

from math import inf

from bsi.compiler import shapes
from bsi.compiler.ir import Expr, Law, Support
from bsi.compiler.laws import LAWS as ROWS
from bsi.compiler.numpyro_text.expressions import Writer
from bsi.compiler.numpyro_text.functions import ATOM
from bsi.compiler.numpyro_text.laws import LAWS, LAWS_OF_LAWS

CONSTRAINTS = {
    "simplex": "constraints.simplex",
    "sum_to_zero": "constraints.zero_sum(1)",
    "corr_matrix": "constraints.corr_matrix",
    "cholesky_corr": "constraints.corr_cholesky",
    "covariance": "constraints.positive_definite",
    "cholesky_cov": "constraints.lower_cholesky",
}


def law_text(law: Law, writer: Writer, sizes: tuple[str, ...]) -> str:
    """The law of one value; `sizes` are the texts of its axes."""
    batch = law.shape[: len(law.shape) - event_axes(law)]
    text = _batched(law, writer, sizes)
    return f"{text}.to_event({len(batch)})" if batch else text


def event_axes(law: Law) -> int:
    """How many axes belong to one event of a law."""
    if law.name == "hidden_markov":
        return len(law.shape)
    if law.name == "ordered" or not law.components:
        return len(ROWS[law.name].axes)
    return event_axes(law.components[0])


def _batched(law: Law, writer: Writer, sizes: tuple[str, ...]) -> str:
    """The law with all axes in front of an event as batch axes."""
    batch = law.shape[: len(law.shape) - event_axes(law)]
    given = {name: writer.text(expr) for name, expr in law.arguments}
    k = sizes[-1] if sizes else ""
    if not law.components:
        text, own = _narrow(law, writer, sizes)
        return text if own == batch else f"{text}.expand([{', '.join(sizes[: len(batch)])}])"
    if law.name == "truncated":
        return _truncated(law, writer, given, sizes)
    parts = [_batched(part, writer, sizes[: len(part.shape)]) for part in law.components]
    weights = dict(law.arguments).get("weights")
    if weights and weights.shape[:-1] != batch:
        given["weights"] = (
            f"jnp.broadcast_to({given['weights']}, [{', '.join([*sizes[: len(batch)], str(len(parts))])}])"
        )
    axes = len(law.shape) if law.name == "hidden_markov" else event_axes(law.components[0])
    support = support_text(law.support, writer, axes)
    shape = f"({', '.join(sizes)},)" if len(sizes) == 1 else f"({', '.join(sizes)})"
    return LAWS_OF_LAWS[law.name].format(
        *parts, components=", ".join(parts), support=support, k=k, shape=shape, **given
    )


def _narrow(law: Law, writer: Writer, sizes: tuple[str, ...]) -> tuple[str, tuple[int, ...]]:
    """A law with the batch axes that its arguments have, and these."""
    if law.components:
        return _batched(law, writer, sizes), law.shape
    row = ROWS[law.name]
    outer = [expr.shape[: len(expr.shape) - len(row.argument(name).axes)] for name, expr in law.arguments]
    given = {name: writer.text(expr) for name, expr in law.arguments}
    return LAWS[law.name].format(k=sizes[-1] if sizes else "", **given), shapes.broadcast(*outer)


def _truncated(law: Law, writer: Writer, given: dict[str, str], sizes: tuple[str, ...]) -> str:
    """Batch axes are added outside: NumPyro's expanded laws have no distribution function."""
    bounds = dict(law.arguments)
    none = {name: "None" for name, bound in bounds.items() if bound.op == "const" and bound.value in (-inf, inf)}
    base, inner = _narrow(law.components[0], writer, sizes)
    text = LAWS_OF_LAWS["truncated"].format(base, support=support_text(law.support, writer, 0), **{**given, **none})
    full = shapes.broadcast(inner, *(bound.shape for bound in bounds.values())) == law.shape
    return text if full else f"{text}.expand([{', '.join(sizes)}])"


def support_text(support: Support, writer: Writer, axes: int) -> str:
    """A support as a NumPyro constraint; `axes` is the number of event axes of a law of unconstrained vectors."""
    lower, upper = (_bound(bound, writer) for bound in (support.lower, support.upper))
    if support.kind in CONSTRAINTS:
        return CONSTRAINTS[support.kind]
    if support.kind in ("ordered", "positive_ordered"):
        return f"_OrderedWithin({lower}, {upper})"
    if support.kind == "counts":
        return f"constraints.multinomial({upper})"
    if support.integer:
        low = "0" if lower is None else lower
        text = f"integer_greater_than({low})" if upper is None else f"integer_interval({low}, {upper})"
    elif lower is None:
        text = "real" if upper is None else f"less_than({upper})"
    else:
        text = f"greater_than({lower})" if upper is None else f"interval({lower}, {upper})"
    return f"constraints.independent(constraints.{text}, {axes})" if axes else f"constraints.{text}"


def _bound(bound: Expr | None, writer: Writer) -> str | None:
    return None if bound is None else writer.text(bound, ATOM)
