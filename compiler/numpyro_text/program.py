"""The whole program: imports, definitions, data, likelihoods, posteriors, and a `main` that samples them."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator

from bsi.compiler.ir import Likelihood, Observation, Program, Simulated, Table
from bsi.compiler.numpyro_text import definitions
from bsi.compiler.numpyro_text.data import same_as, table_lines
from bsi.compiler.numpyro_text.expressions import array_lines, literal
from bsi.compiler.numpyro_text.imports import imports
from bsi.compiler.numpyro_text.layout import WIDTH, wrapped, wrapped_all
from bsi.compiler.numpyro_text.names import fresh
from bsi.compiler.numpyro_text.posteriors import Posteriors
from bsi.compiler.numpyro_text.quotes import opening
from bsi.compiler.numpyro_text.refusals import obstacles
from bsi.compiler.numpyro_text.sampling import main_lines


def program_text(program: Program) -> str:
    """A program for every posterior that can be written; see `refusals`.

    Raises: AssertionError, when there is none.
    """
    chosen = [p for p in program.posteriors.values() if not obstacles(program, p)]
    assert chosen, "the caller looked at `refusals`"
    factors = [factor for posterior in chosen for factor in posterior.factors if factor.kind == "likelihood"]
    likelihoods = _distinct(program.likelihoods[factor.law] for factor in factors)
    observed = _distinct(program.observations[factor.observation or ""] for factor in factors)
    taken: set[str] = set()
    groups = (program.data, (o.name for o in observed), (f.name for f in likelihoods), (p.name for p in chosen))
    dims = {name: size for name, size in program.dims.items() if _sizes_use(program, name)}
    names = {name: fresh(name, taken) for group in (dims, *groups) for name in group}
    writer = Posteriors(program, names)

    body = [f"{names[name]} = {size}" for name, size in dims.items()]
    folder = os.path.dirname(program.source.file)
    known: list[str] = []
    for name, data in program.data.items():
        known += table_lines(names[name], program.tables[data.digest], folder)
    functions = [writer.likelihood(likelihood) for likelihood in likelihoods]
    simulated: list[str] = []
    for observation in observed:
        if isinstance(observation.source, Simulated):
            simulated += _simulation(observation, program.likelihoods[observation.likelihood], names)
        else:
            table = program.tables[observation.source]
            data = {names[name]: program.tables[node.digest] for name, node in program.data.items()}
            same = None if table.origin else same_as(table, data)
            name = names[observation.name]
            known += [f"{name} = {same}"] if same else table_lines(name, table, folder)
        if observation.missing:
            known += _seen(names[observation.name], program.tables[observation.missing])
    functions += [simulated] if simulated else []
    functions += [writer.posterior(posterior) for posterior in chosen]
    functions += [main_lines(program, chosen, names)]
    functions = [*writer.simulators.blocks, *functions]
    blocks = [_block([*body, *known]), *(_block(lines) for lines in functions)]
    blocks.append('if __name__ == "__main__":\n    main()')
    text = "\n\n\n".join(block for block in blocks if block)
    helpers = definitions.used(text)
    text = "\n\n\n".join([*(helper.strip() for helper in helpers), text])
    skipped = [name for name, posterior in program.posteriors.items() if posterior not in chosen]
    gap = "\n\n\n" if text.startswith(("def ", "class ")) else "\n\n"
    return f"{_head(program, text, skipped)}{gap}{text}\n"


def _head(program: Program, text: str, skipped: list[str]) -> str:
    """The docstring, and the imports that the text needs."""
    needs = "jax, diffrax and numpyro" if "diffrax." in text else "jax and numpyro"
    beside = " Keep it beside the model: it reads the same data." if "HERE" in text else ""
    note = f"Written by `bsi emit {program.name}.bsi --stage numpyro`; it needs {needs} only.{beside}"
    paragraphs = [f'"""{opening(program)}', note]
    if skipped:
        paragraphs.append(f"Left out, because they have no density here: {', '.join(skipped)}.")
    docstring = "\n\n".join(textwrap.fill(paragraph, WIDTH) for paragraph in paragraphs)
    setting = ["numpyro.enable_x64()", *(["HERE = Path(__file__).parent"] if "HERE" in text else [])]
    return "\n\n".join([f'{docstring}\n"""', "\n".join(wrapped_all(imports(f"{text} numpyro."))), "\n".join(setting)])


def _simulation(observation: Observation, likelihood: Likelihood, names: dict[str, str]) -> list[str]:
    """Rows drawn from the likelihood at stated values, as the model draws them: in single precision."""
    assert isinstance(observation.source, Simulated)
    values = dict(observation.source.values)
    given = [_value(values[name]) for name in likelihood.given]
    draw = f"{names[likelihood.name]}({', '.join(given)}).sample(jax.random.fold_in(key, 0))"
    keys = f"jax.random.split(jax.random.key({observation.source.seed}), {observation.rows})"
    one = "[0]" if observation.rows == 1 else ""
    name = names[observation.name]
    return [
        "with jax.enable_x64(False):  # simulated in single precision, as the model says",
        f"    keys = {keys}",
        f"    {name} = jax.vmap(lambda key: {draw})(keys){one}",
    ]


def _value(value: object) -> str:
    text = literal(value)
    return f"jnp.array({text})" if isinstance(value, tuple) else text


def _seen(rows: str, holes: Table) -> list[str]:
    """`rows_seen`, true where an entry is observed."""
    numbers = ["0" if hole else "1" for hole in holes.values]
    return [*array_lines(f"{rows}_seen", numbers, holes.shape), f"{rows}_seen = {rows}_seen == 1"]


def _sizes_use(program: Program, dim: str) -> bool:
    """Whether an axis of a param or of a row is this dim."""
    return any(dim in node.dims for table in (program.params, program.likelihoods) for node in table.values())


def _distinct(nodes: Iterator) -> list:
    return list({node.name: node for node in nodes}.values())


def _block(lines: list[str]) -> str:
    """Lines broken where they are too long, but for those that are laid out already."""
    out, laid_out = [], False
    for line in lines:
        laid_out = line.strip() == "# fmt: off" or (laid_out and line.strip() != "# fmt: on")
        out += [line] if laid_out else wrapped(line.rstrip())
    return "\n".join(out)
