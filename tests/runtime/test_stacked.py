"""Stacks: leaves that are the same are held once, and one program gives what single calls give."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from bsi.runtime.stacked import Stack


class Scaled(eqx.Module):
    weights: jax.Array
    power: jax.Array
    name: str = eqx.field(static=True, default="a")

    def __call__(self, x):
        return self.power * (self.weights @ x)


WEIGHTS = np.arange(6.0).reshape(2, 3)


def scaled(power, name="a"):
    return Scaled(jnp.asarray(WEIGHTS), jnp.asarray(power), name)  # weights are arrays of their own each time


def test_what_is_equal_is_held_once_and_results_are_those_of_single_calls():
    trees, traced = [scaled(power) for power in (0.5, 1.0, 2.0)], []
    stack = Stack.of(iter(trees))
    assert [leaf.shape for leaf in jax.tree.leaves(stack.own)] == [(3,)]
    keys = jr.split(jr.key(0), 3)

    def draw(tree, key):
        traced.append(1)
        return tree(jr.normal(key, (3,)))

    got = stack.map(draw, keys)
    np.testing.assert_allclose(got, [draw(tree, key) for tree, key in zip(trees, keys, strict=True)], rtol=1e-6)
    assert len(traced) == 1 + 3
    some = stack.take(np.array([2, 0, 0]))
    np.testing.assert_array_equal(some.map(draw, keys[jnp.array([2, 0, 0])]), got[jnp.array([2, 0, 0])])
    assert len(traced) == 1 + 3, "another choice of as many, the same program"
    alone = stack.take(np.array([1])).map(draw, keys[1:2])
    assert alone.shape == (1, 2) and np.allclose(alone[0], got[1], rtol=1e-6)
    assert float(stack.tree(2).power) == 2.0


def test_trees_that_are_equal_altogether():
    stack = Stack.of([scaled(1.0)] * 2)
    assert jax.tree.leaves(stack.own) == []
    np.testing.assert_allclose(stack.map(lambda tree, x: tree(x), jnp.ones((2, 3))), [[3.0, 12.0]] * 2)


def test_other_programs_and_nothing_are_refused():
    with pytest.raises(ValueError, match="several programs"):
        Stack.of([scaled(1.0), scaled(2.0, "b")])
    with pytest.raises(ValueError, match="nothing"):
        Stack.of([])
