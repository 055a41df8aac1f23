"""What an expression may refer to besides the constants of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from bsi.compiler.fold import references
from bsi.compiler.ir import Expr, labelled
from bsi.dsl.span import Span


@dataclass(frozen=True)
class Scope:
    """Names in reach besides the file's constants.

    `params` are the unknowns that may be used, and `owner` what they are arguments of, for messages; `later` are names
    that the body draws further down; `ranges` holds the length of every comprehension's range; `draws` numbers the
    calls of stochastic simulators, None where there may be none; `depth` counts the loops around; `holds` are the
    conditions under which the value is used. Where something must be known before sampling, `stage` names it, and
    `late` has the names around that it must not depend on.
    """

    owner: str = ""
    locals: Mapping[str, Expr | None] = field(default_factory=dict)
    params: frozenset[str] = frozenset()
    later: Mapping[str, Span] = field(default_factory=dict)
    sweeps: bool = False
    ranges: Mapping[str, int] = field(default_factory=dict)
    draws: Iterator[int] | None = None
    depth: int = 0
    holds: tuple[Expr, ...] = ()
    stage: str = ""
    late: frozenset[str] = frozenset()

    def fixed(self, what: str) -> Scope:
        """The scope of `what`, which is known before anything is sampled and the same in every turn of a loop."""
        names = (references(value) for value in self.locals.values() if value)
        return replace(self, stage=what, late=frozenset().union(*names))

    def inside(self, owner: str, values: Mapping[str, Expr | None]) -> Scope:
        """The scope of a function's body, called here with `values`."""
        return replace(self, owner=owner, locals=values, params=frozenset(), later={}, sweeps=False)

    def bind(self, name: str, value: Expr | None) -> Scope:
        return replace(self, locals={**self.locals, name: labelled(value, name) if value else None})
