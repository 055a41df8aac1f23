"""Laws whose denoisers are known in closed form."""

import jax
import jax.numpy as jnp

from bsi.runtime.process import signal_noise


def mixture_denoiser(weights, means, covariances):
    """Exact `E[θ | u]` of a mixture of normals: weights (k,), means (k, m), covariances (k, m, m)."""
    weights, means, covariances = map(jnp.asarray, (weights, means, covariances))

    def denoise(u, log_snr):
        a, s = signal_noise(log_snr)
        m = u.shape[-1]
        total = a**2 * covariances + s**2 * jnp.eye(m, dtype=u.dtype)
        inverse = jnp.linalg.inv(total)
        gap = u[..., None, :] - a * means
        log_weight = jnp.log(weights) - 0.5 * jnp.linalg.slogdet(total)[1]
        log_weight = log_weight - 0.5 * jnp.einsum("...ki,kij,...kj->...k", gap, inverse, gap)
        component = means + a * jnp.einsum("kij,kjl,...kl->...ki", covariances, inverse, gap)
        return jnp.sum(jax.nn.softmax(log_weight)[..., None] * component, -2)

    return denoise


def gaussian_denoiser(mean, covariance):
    """Exact `E[θ | u]` of N(mean, covariance)."""
    mean, covariance = jnp.asarray(mean), jnp.asarray(covariance)
    return mixture_denoiser(jnp.ones(1, mean.dtype), mean[None], covariance[None])


TWO_MODES = (
    jnp.array([0.3, 0.7]),
    jnp.array([[-1.5, 0.5], [1.0, -0.5]]),
    jnp.array([[[0.04, 0.0], [0.0, 0.25]], [[0.2, 0.1], [0.1, 0.3]]]),
)
