"""What NumPyro has no name for, as source text that goes into the programs that use it."""

from __future__ import annotations

DEFINITIONS = {
    "guarded": '''
def guarded(value, chosen):
    """`value`, with a gradient only where `chosen`: jnp.where alone would make 0 * inf = NaN of the other branch."""
    return jnp.where(chosen, value, jax.lax.stop_gradient(value))
''',
    "states": '''
def states(step, start, *sequences):
    """All states of state = step(state, x, ...), over the leading axis of every x."""
    start = jnp.asarray(start)

    def advance(state, entries):
        state = jnp.broadcast_to(step(state, *entries), start.shape).astype(start.dtype)
        return state, state

    return jax.lax.scan(advance, start, sequences)[1]
''',
    "log_choose": '''
def log_choose(n, k):
    """Logarithm of the binomial coefficient."""
    return special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
''',
    "log_diff_exp": '''
def log_diff_exp(a, b):
    """log(exp(a) - exp(b)), in whichever form keeps its digits."""
    gap = a - b
    small = jnp.log(-jnp.expm1(-jnp.where(gap < 0.6931472, gap, 1.0)))
    large = jnp.log1p(-jnp.exp(-jnp.where(gap < 0.6931472, 1.0, gap)))
    return a + jnp.where(gap < 0.6931472, small, large)
''',
    "quadratic_form": '''
def quadratic_form(a, x):
    """x^T a x."""
    return jnp.transpose(x) @ a @ x
''',
    "squared_distance": '''
def squared_distance(a, b):
    """Matrix of squared distances between the points (numbers or rows) of a and of b."""
    gaps = jnp.square(a[:, None] - b[None, :])
    return gaps if gaps.ndim == 2 else jnp.sum(gaps, axis=-1)
''',
    "tiled": '''
def tiled(x, n):
    """The whole of x n times along its leading axis."""
    return jnp.tile(x, (n,) + (1,) * (jnp.ndim(x) - 1))
''',
    "Truncated": '''
class Truncated(dist.Distribution):
    """A scalar law restricted to [low, high]. The bounds are numbers: NUTS needs to know the support."""

    def __init__(self, base, low, high):
        self.base, self.low, self.high = base, jnp.asarray(low), jnp.asarray(high)
        super().__init__(base.batch_shape, ())

    @property
    def support(self):
        low, high = float(jnp.max(self.low)), float(jnp.min(self.high))
        if self.base.support in (constraints.positive, constraints.nonnegative):
            low = max(low, 0.0)
        if low == -jnp.inf:
            return constraints.real if high == jnp.inf else constraints.less_than(high)
        return constraints.greater_than(low) if high == jnp.inf else constraints.interval(low, high)

    def sample(self, key, sample_shape=()):
        below, above = self.base.cdf(self.low), self.base.cdf(self.high)
        z = jax.random.normal(key, sample_shape + self.batch_shape)
        return self.base.icdf(below + (above - below) * special.ndtr(z))

    def log_prob(self, value):
        mass = self.base.cdf(self.high) - self.base.cdf(self.low)
        inside = (self.low <= value) & (value <= self.high)
        inner = self.base.log_prob(jnp.clip(value, self.low, self.high)) - jnp.log(mass)
        return jnp.where(inside, inner, -jnp.inf)
''',
    "read_column": '''
def read_column(path, name):
    """One column of a csv with a header; lines that start with # are comments."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [float(row[name]) for row in csv.DictReader(lines, skipinitialspace=True)]
''',
    "read_columns": '''
def read_columns(path, *names):
    """The named columns (all of them without names) of a csv with a header, as rows."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    rows = csv.DictReader(lines, skipinitialspace=True)
    return [[float(row[name]) for name in names or row] for row in rows]
''',
}


def used(text: str) -> list[str]:
    """The definitions that a program's text needs, in order."""
    return [source for name, source in DEFINITIONS.items() if f"{name}(" in text]
