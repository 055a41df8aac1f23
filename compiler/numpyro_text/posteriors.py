"""A posterior as the text of a NumPyro model, and the likelihoods it is made of as functions of their params."""

from __future__ import annotations

import re
from collections import Counter

from bsi.compiler import fold
from bsi.compiler.ir import Draw, Expr, Factor, Likelihood, Posterior, Program
from bsi.compiler.missing import MARGINAL
from bsi.compiler.numpyro_text.densities import event_axes, law_text
from bsi.compiler.numpyro_text.expressions import Writer, literal
from bsi.compiler.numpyro_text.functions import PRODUCT, SUM
from bsi.compiler.numpyro_text.laws import DIRECTIONS, LOCATION_SCALE
from bsi.compiler.numpyro_text.names import python
from bsi.compiler.numpyro_text.quotes import comment_of, docstring, source_of
from bsi.compiler.numpyro_text.sampling import KERNELS
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
        references = [s for s in self.program.samples.values() if s.posterior == posterior.name and s.method in KERNELS]
        centred = bool(references) and all(dict(sample.options)["centred"] for sample in references)
        for factor in posterior.factors:
            if factor.kind == "prior":
                for draw in self.program.priors[factor.law].draws:
                    lines += self._drawn(draw, factor, writer, centred)
        sites: Counter[str] = Counter()  # a set may stand in two factors, a site has one name
        for factor in posterior.factors:
            if factor.kind == "likelihood" and factor.observation:
                sites[factor.observation] += 1
                count = sites[factor.observation]
                suffix = f"_{count}" if count > 1 else ""
                lines += self._observed(factor, factor.observation + suffix, writer)
        arguments = ", ".join(f"{python(name)}=1.0" for name in sweeps)
        lines = [_used_later(line, lines[i + 1 :]) for i, line in enumerate(lines)]
        return [f"def {self.names[posterior.name]}({arguments}):", *(f"    {line}" for line in lines)]

    def _drawn(self, draw: Draw, factor: Factor, writer: Writer, centred: bool) -> list[str]:
        """One site, and a factor where the prior has a power other than one."""
        site, variable = draw.target, writer.names[draw.target]
        law = law_text(draw.law, writer, self._sizes(self.program.params[site].dims))
        lines = [*_taken(writer), *comment_of(self.program, site)]
        power = _constant(factor.power)
        if power != 1:
            lines.append(f"{variable}_law = {law}")
            law = f"{variable}_law"
        sample = f'{variable} = numpyro.sample("{site}", {law})'
        other = reparametrisation(draw, self.program, centred)
        lines += [f'with reparam(config={{"{site}": {other}}}):', f"    {sample}"] if other else [sample]
        if power != 1:
            excess = literal(float(power) - 1) if power is not None else f"({writer.text(factor.power, SUM)} - 1)"
            lines.append(f'numpyro.factor("{site}:power", {excess} * {law}.log_prob({variable}))')
        return lines

    def _observed(self, factor: Factor, site: str, writer: Writer) -> list[str]:
        """An observed site; or a factor where the likelihood has a power other than one, or the rows have holes."""
        observation = self.program.observations[factor.observation or ""]
        rows = self.names[observation.name]
        given = [writer.names[name] for name in self.program.likelihoods[factor.law].given]
        law = f"{self.names[factor.law]}({', '.join(given)})"
        power = _constant(factor.power)
        if power == 0:
            return [f"# {factor.law}({observation.name})^0 leaves the likelihood out"]
        if power == 1 and not observation.missing:
            return [f'numpyro.sample("{site}", {law}, obs={rows})']
        density = self._with_holes(factor, law, rows) if observation.missing else f"{law}.log_prob({rows})"
        many = observation.rows > 1 or observation.missing
        if power == 1:
            density = f"jnp.sum({density})"
        elif self._may_be_zero(factor.power):  # also where the density is zero
            text = writer.text(factor.power, PRODUCT)
            density = f"jnp.where({writer.text(factor.power)} == 0, 0.0, {text} * {density})"
            density = f"jnp.sum({density})" if many else density
        else:
            text = writer.text(factor.power, PRODUCT)
            inside = factor.power.shape or not many
            density = f"{text} * {density}" if inside else f"{text} * jnp.sum({density})"
            density = f"jnp.sum({density})" if factor.power.shape else density
        return [*_taken(writer), f'numpyro.factor("{site}", {density})']

    def _with_holes(self, factor: Factor, law: str, rows: str) -> str:
        """Log densities of the rows, their missing entries integrated out."""
        own = self.program.likelihoods[factor.law].draws[-1].law
        axes = event_axes(own)
        if own.name in MARGINAL:
            density = f"density_of_seen({law}, {rows}, {rows}_seen)"
        else:
            base = f"{law}.base_dist" if len(own.shape) > axes else law
            seen = f"jnp.all({rows}_seen, axis={tuple(range(-axes, 0))})" if axes else f"{rows}_seen"
            density = f"{base}.mask({seen}).log_prob({rows})"
        rows_alone = bool(factor.power.shape)  # a power for each of them
        n = self.program.observations[factor.observation or ""].rows
        return f"jnp.sum(jnp.reshape({density}, [{n}, -1]), axis=1)" if rows_alone else density

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


def reparametrisation(draw: Draw, program: Program, centred: bool) -> str | None:
    """How NUTS samples a param: non-centred, unless `centred`, where its law is `loc + scale * standard` with a param
    among its arguments; a direction by a Gaussian vector, because NumPyro has no bijector of the sphere."""
    if draw.law.name in DIRECTIONS:
        return "ProjectedNormalReparam()"
    refers = any(fold.references(value) & set(program.params) for _, value in draw.law.arguments)
    return "LocScaleReparam(0.0)" if draw.law.name in LOCATION_SCALE and refers and not centred else None


def _constant(power: Expr) -> float | None:
    """A power that is one number."""
    return float(power.value) if power.op == "const" and not power.shape else None


def _used_later(line: str, later: list[str]) -> str:
    """A site whose value nothing uses is drawn without a name."""
    site = re.match(r"(\s*)(\w+) = (numpyro\.sample\(.*)", line)
    if site is None or any(re.search(rf"\b{site[2]}\b(?!\")", text) for text in later):
        return line
    return f"{site[1]}{site[3]}"


def _taken(writer: Writer) -> list[str]:
    """Variables that the writer made since the last time."""
    lines = list(writer.lines)
    writer.lines.clear()
    return lines
