"""Rows whose elements are alike: in any order they are as likely, so that a network need not learn it.

`f(x : real[4, 2] | theta) = mv_normal(m(theta), s(theta))` draws four points of one law. That is seen where no argument
of the law of the row varies along its first axis; a row that a simulator gives says nothing of itself.
"""

from __future__ import annotations

from bsi.compiler.distributions import event_axes
from bsi.compiler.ir import Law, Likelihood
from bsi.compiler.laws import LAWS

NET = "set"  # the net that sees elements in no order
_MOST = 64  # elements: with more a step costs several times that of a net which sees them in an order


def is_set(likelihood: Likelihood) -> bool:
    """Whether a row is a set of elements that are alike, few enough for a net of sets."""
    if likelihood.result is not None or not likelihood.draws or not likelihood.shape:
        return False
    return 1 < likelihood.shape[0] <= _MOST and _is_iid(likelihood.draws[-1].law)


def _is_iid(law: Law) -> bool:
    """Whether entries of a value along its first axis are independent draws of one law, given the arguments."""
    row, batch = LAWS[law.name], len(law.shape) - event_axes(law)
    if batch < 1:
        return False
    for name, value in law.arguments:
        rank = len(value.shape) - len(row.argument(name).axes)
        if rank >= batch and value.shape[0] != 1:
            return False
    return all(map(_is_iid, law.components))
