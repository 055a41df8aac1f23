"""Models as text, compiled without files."""

from __future__ import annotations

from typing import Any

from bsi.compiler.analyse import compile_source
from bsi.compiler.ir import Program
from bsi.dsl.span import Source

MODEL = """bsi 1

dim d = 2
param theta : real[d]
prior p(theta) = normal(0, 1)
likelihood f(x : real[d] | theta) = { let m = 2 * theta; x ~ mv_normal(m, 0.5 * eye(d)) }
observe obs : f[3] = [[0.5, 1.0], [0.1, 0.2], [0.3, 0.4]]
sweep lambda in [0.5, 1]
posterior post(theta) = p(theta) * f(obs | theta)^lambda
net n = mlp { width = 64 }
train fit = score(p, f) { network = n, simulations = 1_000, learning_rate = 1e-3, seed = 1 }
sample ode = flow_ode(post, fit) { seed = 2 }
sample ref = nuts(post) { seed = 3 }
check c2st(ode, ref) < 0.6
"""


def compiled(text: str, **options: Any) -> Program:
    """The program of a right model."""
    program, diagnostics = compile_source(Source("model.bsi", text), **options)
    assert program is not None, [(d.code, d.message) for d in diagnostics]
    return program


def codes(text: str, **options: Any) -> list[str]:
    """Codes of all diagnostics, in the order of the file."""
    return [d.code for d in compile_source(Source("model.bsi", text), **options)[1]]


def changed(old: str, new: str, text: str = MODEL) -> str:
    assert old in text
    return text.replace(old, new)
