"""Trees of one structure as the argument of one program: what differs between them stacked, the rest held once.

A network's weights are the same at every point of a sweep, and a power is not: mapped over the stacked leaves alone,
one program samples all points and holds the weights once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.tree_util as jtu
from jaxtyping import Int, PyTree


class Stack(eqx.Module):
    """`own` has the leaves that differ, `size` of them along a leading axis; `shared` all the others."""

    own: PyTree
    shared: PyTree
    size: int = eqx.field(static=True)

    @classmethod
    def of(cls, trees: Iterable[Any]) -> Stack:
        """Leaves are compared as the trees come, and equal ones are not kept.

        Raises:
            ValueError: there is no tree, or some differ in what is no array.
        """
        columns: list[list[Any]] = []
        size, structure, shared = 0, None, None
        for tree in trees:
            arrays, static = eqx.partition(tree, eqx.is_array)
            leaves = jtu.tree_leaves(arrays)
            if size == 0:
                columns, structure, shared = [[leaf] for leaf in leaves], jtu.tree_structure(arrays), static
            elif not eqx.tree_equal(static, shared):
                raise ValueError("trees of several programs cannot be stacked")
            else:
                for column, leaf in zip(columns, leaves, strict=True):
                    column.append(column[0] if _equal(leaf, column[0]) else leaf)
            size += 1
        if structure is None:
            raise ValueError("nothing to stack")
        same = [all(leaf is column[0] for leaf in column) for column in columns]
        own = [None if alike else jnp.stack(column) for alike, column in zip(same, columns, strict=True)]
        rest = [column[0] if alike else None for alike, column in zip(same, columns, strict=True)]
        return cls(jtu.tree_unflatten(structure, own), eqx.combine(jtu.tree_unflatten(structure, rest), shared), size)

    def take(self, at: Int[Any, " k"]) -> Stack:
        """The trees at these places."""
        return Stack(jax.tree.map(lambda leaf: leaf[at], self.own), self.shared, len(at))

    def tree(self, at: int = 0) -> Any:
        """One of the trees."""
        return eqx.combine(jax.tree.map(lambda leaf: leaf[at], self.own), self.shared)

    def map(self, function: Callable[..., Any], *arguments: PyTree) -> Any:
        """`function(tree, *arguments)` for every tree and row of `arguments`, in one program; results have a leading
        axis. Calls with the same `function` and shapes share a compilation. A single tree is not mapped."""
        if self.size > 1:
            return _mapped(function, self.own, self.shared, arguments)
        result = _alone(function, self.tree(), jax.tree.map(lambda leaf: leaf[0], arguments))
        return jax.tree.map(lambda leaf: leaf[None], result)


@eqx.filter_jit
def _mapped(function: Callable[..., Any], own: PyTree, shared: PyTree, arguments: tuple[PyTree, ...]) -> Any:
    return jax.vmap(lambda own, arguments: function(eqx.combine(own, shared), *arguments))(own, arguments)


@eqx.filter_jit
def _alone(function: Callable[..., Any], tree: Any, arguments: tuple[PyTree, ...]) -> Any:
    return function(tree, *arguments)


def _equal(a: Any, b: Any) -> bool:
    return a is b or (a.shape == b.shape and a.dtype == b.dtype and bool(jnp.all(a == b)))
