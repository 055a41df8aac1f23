"""A posterior as the text of a NumPyro model, and the likelihoods it is made of as functions of their params."""

from __future__ import annotations

from bsi.compiler import fold
from bsi.compiler.ir import Draw, Expr, Factor, Likelihood, Posterior, Program
from bsi.compiler.numpyro_text.densities import law_text
from bsi.compiler.numpyro_text.expressions import Writer, literal
from bsi.compiler.numpyro_text.functions import PRODUCT, SUM
from bsi.compiler.numpyro_text.laws import LOCATION_SCALE
from bsi.compiler.numpyro_text.names import python
from bsi.compiler.numpyro_text.quotes import comment_of, docstring, source_of
from bsi.compiler.numpyro_text.simulators import Simulators


class Posteriors:
    """Text of the likelihoods and posteriors of `program`; `names` are the Python names of what stands beside them."""

    def __init__(self, program: Program, names: dict[str, str]):
        self.program, self.names = program, names
        self.simulators = Simulators(program, names, set(names.values()))

    def likelihood(self, likelihood: Likelihood) -> list[str]:
        """`def f(theta): return dist...`, the law of one row."""
        given = {name: python(name) for name in likelihood.given}
        writer = self._writer(given)
        law = law_text(likelihood.draws[-1].law, writer, self._sizes(likelihood.dims))
        lines = [f"def {self.names[likelihood.name]}({', '.join(given.values())}):"]
        lines += [
            f"    {line}"
            for line in (*docstring(source_of(self.program, likelihood.name)), *writer.lines, f"return {law}")
        ]
        return lines

    def posterior(self, posterior: Posterior) -> list[str]:
        """`def post(powers): ...`, a NumPyro model."""
        sweeps = [
            name for name in self.program.sweeps if any(name in fold.references(f.power) for f in posterior.factors)
        ]
        local = {name: python(name) for name in (*sweeps, *posterior.params)}
        writer = self._writer(local)
        lines = docstring(source_of(self.program, posterior.name))
        for factor in posterior.factors:
            if factor.kind == "prior":
                for draw in self.program.priors[factor.law].draws:
                    lines += self._drawn(draw, factor, writer)
        for factor in posterior.factors:
            if factor.kind == "likelihood":
                lines += self._observed(factor, writer)
        arguments = ", ".join(f"{python(name)}=1.0" for name in sweeps)
        return [f"def {self.names[posterior.name]}({arguments}):", *(f"    {line}" for line in lines)]

    def _drawn(self, draw: Draw, factor: Factor, writer: Writer) -> list[str]:
        """One site, and a factor where the prior has a power other than one."""
        site, variable = draw.target, writer.names[draw.target]
        law = law_text(draw.law, writer, self._sizes(self.program.params[site].dims))
        lines = [*_taken(writer), *comment_of(self.program, site)]
        power = _constant(factor.power)
        if power != 1:
            lines.append(f"{variable}_law = {law}")
            law = f"{variable}_law"
        sample = f'{variable} = numpyro.sample("{site}", {law})'
        if is_hierarchical(draw, self.program):
            lines += [f'with reparam(config={{"{site}": LocScaleReparam(0.0)}}):  # non-centred', f"    {sample}"]
        else:
            lines.append(sample)
        if power != 1:
            excess = literal(float(power) - 1) if power is not None else f"({writer.text(factor.power, SUM)} - 1)"
            lines.append(f'numpyro.factor("{site}:power", {excess} * {law}.log_prob({variable}))')
        return lines

    def _observed(self, factor: Factor, writer: Writer) -> list[str]:
        """An observed site, or a factor where the likelihood has a power other than one."""
        assert factor.observation is not None
        rows = self.names[factor.observation]
        given = [writer.names[name] for name in self.program.likelihoods[factor.law].given]
        law = f"{self.names[factor.law]}({', '.join(given)})"
        power = _constant(factor.power)
        if power == 1:
            return [f'numpyro.sample("{factor.observation}", {law}, obs={rows})']
        if power == 0:
            return [f"# {factor.law}({factor.observation})^0 leaves the likelihood out"]
        text = writer.text(factor.power, PRODUCT)
        density = f"{law}.log_prob({rows})"
        many = self.program.observations[factor.observation].rows > 1
        if self._may_be_zero(factor.power):  # also where the density is zero
            density = f"jnp.where({writer.text(factor.power)} == 0, 0.0, {text} * {density})"
            density = f"jnp.sum({density})" if many else density
        elif factor.power.shape:
            density = f"jnp.sum({text} * {density})"
        else:
            density = f"{text} * jnp.sum({density})" if many else f"{text} * {density}"
        return [*_taken(writer), f'numpyro.factor("{factor.observation}", {density})']

    def _may_be_zero(self, power: Expr) -> bool:
        if power.op == "const":
            return 0 in fold.flat(power.value)
        named = [self.program.sweeps[name].values for name in fold.references(power) if name in self.program.sweeps]
        return not named or any(0 in values for values in named)

    def _sizes(self, dims: tuple[str, ...]) -> tuple[str, ...]:
        """Axes as text: the name of a dim, or a number."""
        return tuple(self.names.get(dim, dim) for dim in dims)

    def _writer(self, local: dict[str, str]) -> Writer:
        names = {**self.names, **local}
        return Writer(names, {*names.values(), *self.simulators.taken}, simulator=self.simulators.call)


def is_hierarchical(draw: Draw, program: Program) -> bool:
    """Whether a draw is non-centred: its law is `loc + scale * standard`, and a param is among its arguments."""
    refers = any(fold.references(value) & set(program.params) for _, value in draw.law.arguments)
    return draw.law.name in LOCATION_SCALE and refers


def _constant(power: Expr) -> float | None:
    """A power that is one number."""
    return float(power.value) if power.op == "const" and not power.shape else None


def _taken(writer: Writer) -> list[str]:
    """Variables that the writer made since the last time."""
    lines = list(writer.lines)
    writer.lines.clear()
    return lines
