"""What NumPyro has no name for, as source text that goes into the programs that use it."""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib import resources

from bsi.compiler.numpyro_text.layout import wrapped_all

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
    """A scalar law restricted to [low, high]; None is no bound."""

    def __init__(self, base, low, high, support):
        self.base, self.low, self.high, self._support = base, low, high, support
        self.below = 0.0 if low is None else base.cdf(low)
        self.mass = (1.0 if high is None else base.cdf(high)) - self.below
        super().__init__(jnp.broadcast_shapes(base.batch_shape, jnp.shape(self.mass)), ())

    @property
    def support(self):
        return self._support

    def cdf(self, value):
        return jnp.clip((self.base.cdf(value) - self.below) / self.mass, 0.0, 1.0)

    def sample(self, key, sample_shape=()):
        z = jax.random.normal(key, sample_shape + self.batch_shape)
        return self.base.icdf(self.below + self.mass * special.ndtr(z))

    def log_prob(self, value):
        kept = jnp.clip(value, self.low, self.high)
        return jnp.where(kept == value, self.base.log_prob(kept) - jnp.log(self.mass), -jnp.inf)
''',
    "density_of_seen": '''
def density_of_seen(law, value, seen):
    """Log density of the entries of Gaussian vectors that are `seen`; the others are integrated out."""
    while hasattr(law, "base_dist"):
        law = law.base_dist
    kept = jnp.where(seen[..., :, None] & seen[..., None, :], law.covariance_matrix, jnp.eye(seen.shape[-1]))
    centred = jnp.where(seen, value - law.mean, 0.0)
    density = dist.MultivariateNormal(covariance_matrix=kept).log_prob(centred)
    return density + 0.5 * jnp.log(2 * jnp.pi) * jnp.sum(~seen, axis=-1)
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


# Definitions that the lowered model has too, by file of `compiler.lower`, in an order in which each needs earlier ones.
SHARED = {
    "supports.py": ("_OrderedWithin", "_increasing", "_ordered"),
    "own_distributions.py": (
        *("SkewNormal", "ExpModNormal", "ProjectedNormal", "ZeroSumNormal", "frechet", "loglogistic", "lomax"),
        *("ordered_probit", "CountsAmong", "DirichletCountsAmong"),
    ),
    "compound.py": ("_log", "OrderStatistics", "HiddenMarkov"),
}
# Definitions that are needed though nothing names them: bijectors, which register themselves.
WITH = {
    "_OrderedWithin": ("_increasing", "_ordered"),
    "HiddenMarkov": ("_log", "_NEVER"),
    "_log": ("_NEVER",),
}


def used(text: str) -> list[str]:
    """The definitions that a program's text needs, in an order in which each needs earlier ones."""
    known = {**DEFINITIONS, **_shared()}
    wanted: set[str] = set()
    found = {name for name in known if _names(name, text)}
    while found - wanted:
        name = (found - wanted).pop()
        wanted.add(name)
        found |= {*WITH.get(name, ()), *(other for other in known if _names(other, known[name]))}
    return [source for name, source in known.items() if name in wanted]


def _names(name: str, text: str) -> bool:
    return re.search(rf"(?<![.\w]){name}[(\[]", text) is not None


@cache
def _shared() -> dict[str, str]:
    """Source of the shared definitions, without their types. The files are read, never imported: they need JAX."""
    sources: dict[str, str] = {}
    for file, names in SHARED.items():
        text = resources.files("bsi.compiler").joinpath("lower", file).read_text(encoding="utf-8")
        nodes = {_name(node): node for node in ast.parse(text).body}
        sources |= {name: _untyped(text, nodes[name]) for name in ("_NEVER", *names) if name in nodes}
    return sources


def _untyped(text: str, node: ast.stmt) -> str:
    """Source of a definition without annotations: a program of one page does not need them."""
    lines = text.splitlines()
    cuts: list[tuple[int, int, int]] = []  # line, first and last column of what goes, in bytes
    for inner in ast.walk(node):
        if isinstance(inner, ast.arg) and inner.annotation:
            cuts.append(
                (inner.lineno, inner.col_offset + len(inner.arg.encode()), inner.annotation.end_col_offset or 0)
            )
        if isinstance(inner, ast.FunctionDef) and inner.returns:
            end = inner.returns.end_col_offset or 0
            cuts.append((inner.returns.lineno, inner.returns.col_offset - len(" -> "), end))
    for line, start, stop in sorted(cuts, reverse=True):
        raw = lines[line - 1].encode()
        rest = re.sub(rb"^ = ", b"=", raw[stop:])
        lines[line - 1] = (raw[:start] + rest).decode()
    decorators = [d.lineno for d in getattr(node, "decorator_list", ())]
    kept = lines[min([node.lineno, *decorators]) - 1 : node.end_lineno]
    return "\n".join(wrapped_all("\n".join(re.sub(r"  # type: ignore.*", "", line) for line in kept)))


def _name(node: ast.stmt) -> str:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""
