"""Models that use the whole grammar, and short ways to parse."""

from bsi.dsl import ast
from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.parser import parse
from bsi.dsl.span import Source

EVERYTHING = """\
bsi 1                                              # language edition

import "nets.bsi" as nets
dim d = 2, m

param theta : real<lower = 0, upper = 2 * d>[d]
data s : real<lower = 0>[school] = file("schools.json", key = "sigma")
let a = 2 * pi
let mean(t) = [t[0], sin(t[1])]
let q(b) = sum over i in d : if b[i] > 2 and not b[i] == 3 then b[i, :]^2 else -b[1:3]
let r = [b[i] * 2 for i in d]

prior p(theta) = normal(0, 1)                      # broadcasts over d
prior learned_prior(z) = learned file("a.npz") { oracle = normal }
likelihood f(x : real[d] | theta) = mv_normal(theta, 0.5 * eye(d))
# two moons
likelihood g(x : real[2] | theta) = {
  # angle and radius
  a ~ uniform(-pi / 2, pi / 2)
  let b = 3; r ~ normal(0.1, 0.01)  # narrow
  x = [r * cos(a) + 0.25 - abs(theta[0] + theta[1]) / sqrt(2),
       r * sin(a) + (theta[1] - theta[0]) / sqrt(2)]
}
simulator lv(k) -> real[time, 2] = ode(u) { init = 2, rhs = [1, 2]
  saveat = linspace(0, 1, 3) }
likelihood h(x : real | theta) = implicit lv(theta)

observe obs : f[20] = simulate(theta = [0.5, -1.0]) { seed = 7 }   # or file("obs.npz", key = "x")
observe several : f[] = [[1, 2], [3, 4]]
observe one : f = [1, 2]

sweep lambda in [0.5, 1.0, 2.0]
posterior post(theta) = p(theta)^(1/4) * f(obs | theta)^lambda * g(one|theta)^.5

net   score_net = mlp { width = 128, depth = 4 }
train fit = score(p, f) { network = score_net, simulations = 20_000, seed = 1 }
train elbo = bsi(p)

sample ode = flow_ode(post, fit) { compose = partial { n_max = 4 }, draws = 4_000, seed = 2 }
sample ref = nuts(post) { chains = 4, warmup = 1_000, draws = 1_000, seed = 3 }

check c2st(ode, ref) < 0.58
check rhat(ref) < 1.01
"""


def errors(text: str) -> list[Diagnostic]:
    """The diagnostics of declarations, below an edition line that shifts offsets by 6 and lines by 1."""
    return parse(Source("m.bsi", "bsi 1\n" + text))[1]


def codes(text: str) -> list[str]:
    return [diagnostic.code for diagnostic in errors(text)]


def declare(text: str) -> ast.Declaration:
    """The one declaration of a text without mistakes."""
    module, diagnostics = parse(Source("m.bsi", "bsi 1\n" + text))
    assert diagnostics == []
    (declaration,) = module.declarations
    return declaration


def expression(text: str) -> ast.Expr:
    declaration = declare(f"let a = {text}")
    assert isinstance(declaration, ast.Let)
    return declaration.value
