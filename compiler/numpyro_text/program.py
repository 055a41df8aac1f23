"""The whole program: imports, definitions, data, likelihoods, posteriors, and a `main` that samples them."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator

from bsi.compiler.ir import Likelihood, Observation, Program, Simulated, Table
from bsi.compiler.numpyro_text import definitions
from bsi.compiler.numpyro_text.data import same_as, table_lines
from bsi.compiler.numpyro_text.expressions import array_lines, literal
from bsi.compiler.numpyro_text.imports import imports
from bsi.compiler.numpyro_text.layout import WIDTH, wrapped
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
    groups = (program.dims, program.data, *([node.name for node in nodes] for nodes in (observed, likelihoods, chosen)))
    names = {name: fresh(name, taken) for group in groups for name in group}

    writer = Posteriors(program, names)
    laws = [writer.likelihood(likelihood) for likelihood in likelihoods]
    rows, simulated = _rows(program, observed, names)
    models = [*([simulated] if simulated else []), *(writer.posterior(posterior) for posterior in chosen)]
    functions = [*writer.simulators.blocks, *laws, *models, main_lines(program, chosen, names)]
    constants = _constants(program, names, "\n".join(line for lines in (rows, *functions) for line in lines))
    blocks = [*(_block(lines) for lines in ([*constants, *rows], *functions)), 'if __name__ == "__main__":\n    main()']
    text = "\n\n\n".join(block for block in blocks if block)
    text = "\n\n\n".join([*(helper.strip() for helper in definitions.used(text)), text])
    skipped = [name for name, posterior in program.posteriors.items() if posterior not in chosen]
    gap = "\n\n\n" if text.startswith(("def ", "class ")) else "\n\n"
    return f"{_head(program, text, skipped)}{gap}{text}\n"


def _constants(program: Program, names: dict[str, str], text: str) -> list[str]:
    """The dims and data that the rest of the program names, docstrings aside."""
    text = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
    lines = [f"{names[name]} = {size}" for name, size in program.dims.items() if _named(names[name], text)]
    for name, data in program.data.items():
        if _named(names[name], text):
            lines += table_lines(names[name], program.tables[data.digest], _folder(program))
    return lines


def _rows(program: Program, observed: list[Observation], names: dict[str, str]) -> tuple[list[str], list[str]]:
    """The sets of rows that are known, and those that are simulated, which need the likelihoods."""
    known, simulated = [], []
    data = {names[name]: program.tables[node.digest] for name, node in program.data.items()}
    for observation in observed:
        name = names[observation.name]
        if isinstance(observation.source, Simulated):
            simulated += _simulation(observation, program.likelihoods[observation.likelihood], names)
            continue
        table = program.tables[observation.source]
        same = None if table.origin else same_as(table, data)
        known += [f"{name} = {same}"] if same else table_lines(name, table, _folder(program))
        if observation.missing:
            known += _seen(name, program.tables[observation.missing])
    return known, simulated


def _named(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w.\"]){name}\b(?! = )", text) is not None


def _folder(program: Program) -> str:
    return os.path.dirname(program.source.file)


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
    return "\n\n".join([f'{docstring}\n"""', imports(f"{text} numpyro."), "\n".join(setting)])


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


def _distinct(nodes: Iterator) -> list:
    return list({node.name: node for node in nodes}.values())


def _block(lines: list[str]) -> str:
    """Lines broken where they are too long, but for those that are laid out already."""
    out, laid_out = [], False
    for line in lines:
        laid_out = line.strip() == "# fmt: off" or (laid_out and line.strip() != "# fmt: on")
        out += [line] if laid_out else wrapped(line.rstrip())
    return "\n".join(out)
