"""Laws as text: a NumPyro distribution whose `log_prob` of one value is a single number."""

from __future__ import annotations

from bsi.compiler import shapes
from bsi.compiler.ir import Law
from bsi.compiler.laws import LAWS as ROWS
from bsi.compiler.numpyro_text.expressions import Writer
from bsi.compiler.numpyro_text.laws import LAWS, LAWS_OF_LAWS

EVENTS = {0: "real", 1: "real_vector"}


def law_text(law: Law, writer: Writer, sizes: tuple[str, ...]) -> str:
    """The law of one value; `sizes` are the texts of its axes."""
    text, batch = _batched(law, writer)
    wanted = law.shape[: len(law.shape) - event_axes(law)]
    if batch != wanted:
        text += f".expand([{', '.join(sizes[: len(wanted)])}])"
    return f"{text}.to_event({len(wanted)})" if wanted else text


def event_axes(law: Law) -> int:
    """How many axes belong to one event of a law."""
    return event_axes(law.components[0]) if law.components else len(ROWS[law.name].axes)


def _batched(law: Law, writer: Writer) -> tuple[str, tuple[int, ...]]:
    """Text, and the batch shape that its arguments give it."""
    row = ROWS[law.name]
    batch = law.shape[: len(law.shape) - event_axes(law)]
    outer = [expr.shape[: len(expr.shape) - len(row.argument(name).axes)] for name, expr in law.arguments]
    given = {name: writer.text(expr) for name, expr in law.arguments}
    if law.components:
        parts = [_batched(component, writer) for component in law.components]
        if law.name == "mixture":
            # Every component, and the weights, need all batch axes.
            sizes = ", ".join(map(str, batch))
            texts = [text if own == batch else f"{text}.expand([{sizes}])" for text, own in parts]
            if outer[0] != batch:
                k = len(parts)
                given["weights"] = f"jnp.broadcast_to({given['weights']}, [{sizes}, {k}])"
            support = f"constraints.{EVENTS[event_axes(law)]}"
            return LAWS_OF_LAWS["mixture"].format(components=", ".join(texts), support=support, **given), batch
        text = LAWS_OF_LAWS[law.name].format(*(text for text, _ in parts), **given)
        return text, shapes.broadcast(*outer, *(own for _, own in parts))
    return LAWS[law.name].format(**given), shapes.broadcast(*outer)
