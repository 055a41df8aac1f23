"""Networks on images: shapes, zero at the start, every weight reached, broadcasting, precision."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from bsi.runtime.nets.dit import DiT
from bsi.runtime.nets.image import Image, beside
from bsi.runtime.nets.unet import UNet

IMAGE = Image(8, 8, 2)
MAKE = {
    "dit": lambda **options: DiT(IMAGE, 3, width=32, depth=1, heads=4, patch=2, key=jr.key(0), **options),
    "unet": lambda **options: UNet(IMAGE, 3, width=16, levels=2, depth=1, fourier=(1,), key=jr.key(0), **options),
}


def shaken(net, size=0.1):
    """Weights moved off zero, as after some training."""
    arrays, rest = eqx.partition(net, eqx.is_array)
    leaves, structure = jax.tree.flatten(arrays)
    moved = [x + size * jr.normal(jr.key(i), x.shape) / np.sqrt(max(x.shape[0], 1)) for i, x in enumerate(leaves)]
    return eqx.combine(jax.tree.unflatten(structure, moved), rest)


def inputs(n=4):
    return jr.normal(jr.key(1), (n, IMAGE.m)), jnp.linspace(0.1, 0.9, n), jr.normal(jr.key(2), (n, 3))


@pytest.mark.parametrize("name", MAKE)
def test_starts_at_zero_and_keeps_its_shape(name):
    out = eqx.filter_jit(MAKE[name]())(*inputs())
    assert out.shape == (4, IMAGE.m) and float(jnp.max(jnp.abs(out))) == 0.0


@pytest.mark.parametrize("name", MAKE)
def test_every_weight_matters(name):
    """The gradient of a squared error reaches every array."""
    net = shaken(MAKE[name]())
    grads = eqx.filter_jit(eqx.filter_grad(lambda net: jnp.sum((net(*inputs()) - 1.0) ** 2)))(net)
    for path, leaf in jax.tree_util.tree_leaves_with_path(eqx.filter(grads, eqx.is_array)):
        assert float(jnp.max(jnp.abs(leaf))) > 0, jax.tree_util.keystr(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKE)
def test_batch_axes_broadcast(name):
    """(rows, draws, m) with (rows, 1, p) and one time is the same as every pair on its own."""
    net = eqx.filter_jit(shaken(MAKE[name]()))
    state, _, condition = inputs(6)
    together = net(state.reshape(2, 3, -1), jnp.asarray(0.4), condition[:2, None])
    alone = net(state, jnp.full(6, 0.4), jnp.repeat(condition[:2], 3, axis=0))
    np.testing.assert_allclose(together.reshape(6, -1), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", MAKE)
def test_bfloat16_is_close(name):
    full, half = (eqx.filter_jit(shaken(MAKE[name](compute=c)))(*inputs()) for c in ("float32", "bfloat16"))
    assert half.dtype == jnp.float32
    assert float(jnp.max(jnp.abs(full - half))) < 0.05 * float(jnp.max(jnp.abs(full)))


def test_tokens_know_their_place():
    """Without positions a transformer would shift its output with its input."""
    net = eqx.filter_jit(shaken(MAKE["dit"]()))
    state, time, condition = inputs(1)
    shifted = jnp.roll(state.reshape(1, 8, 8, 2), 2, axis=1).reshape(1, -1)
    moved = jnp.roll(net(state, time, condition).reshape(1, 8, 8, 2), 2, axis=1).reshape(1, -1)
    assert float(jnp.max(jnp.abs(net(shifted, time, condition) - moved))) > 1e-3


def test_patches_and_pixels_are_inverse():
    net = MAKE["dit"]()
    state, *_ = inputs()
    np.testing.assert_array_equal(net._pixels(net._patches(state)), state)
    first = net._patches(state)[0, 0].reshape(2, 2, 2)
    np.testing.assert_array_equal(first, state[0].reshape(8, 8, 2)[:2, :2])


def test_a_condition_lies_beside_the_state():
    """Channels of two rows follow those of five states, pixel by pixel; with holes, values and what is seen of them."""
    image = Image(2, 3, 2)
    state, row = jr.normal(jr.key(1), (5, 2, 3, 2)), jr.normal(jr.key(2), (2, 2, 3, 1))
    found = beside(state.reshape(5, 12), row.reshape(2, 1, 6), image, 1).reshape(2, 5, 2, 3, 3)
    np.testing.assert_array_equal(found[1, 4, ..., :2], state[4])
    np.testing.assert_array_equal(found[1, 4, ..., 2:], row[1])
    both = beside(state.reshape(5, 12), row.ravel(), image, 1)
    np.testing.assert_array_equal(both.reshape(5, 2, 3, 4)[3, ..., 2:], jnp.concatenate([row[0], row[1]], -1))


@pytest.mark.slow
@pytest.mark.parametrize("make", [DiT, UNet])
def test_a_net_sees_a_condition_in_its_place(make):
    """Deaf to the condition as a whole, it still hears the one beside the state."""
    own = {"heads": 4, "patch": 2} if make is DiT else {"levels": 1}
    net = shaken(make(Image(4, 4, 1), 16, width=8, depth=1, beside=1, key=jr.key(0), **own))
    deaf = eqx.tree_at(lambda net: net.context.condition.weight, net, jnp.zeros((16, net.context.mix.weight.shape[0])))
    state, condition = jr.normal(jr.key(1), (1, 16)), jr.normal(jr.key(2), (2, 16))
    one, other = eqx.filter_jit(deaf)(state, jnp.array([0.5]), condition)
    assert jnp.max(jnp.abs(one - other)) > 1e-3
