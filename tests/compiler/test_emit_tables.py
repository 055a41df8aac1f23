"""Every function and every law as emitted text, evaluated by Python, against the references of their case tables."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bsi.compiler.functions import FUNCTIONS
from bsi.compiler.ir import Expr, Law
from bsi.compiler.laws import LAWS
from bsi.compiler.lower import numpyro_model
from bsi.compiler.lower.laws import LAWS as LOWERED
from bsi.compiler.numpyro_text.definitions import used
from bsi.compiler.numpyro_text.densities import law_text
from bsi.compiler.numpyro_text.expressions import Writer
from bsi.compiler.numpyro_text.functions import BUILT_IN, OPERATORS, TEMPLATES
from bsi.compiler.numpyro_text.imports import imports
from bsi.compiler.numpyro_text.laws import DIRECTIONS, LAWS_OF_LAWS, LOCATION_SCALE
from bsi.compiler.numpyro_text.laws import LAWS as LAW_TEXTS
from tests.lower import law_cases, test_functions, test_laws


def test_every_function_has_a_text() -> None:
    written = [*OPERATORS, *TEMPLATES, *BUILT_IN]
    assert len(written) == len(set(written)) and set(written) == set(FUNCTIONS)


def test_every_law_has_a_text() -> None:
    assert {*LAW_TEXTS, *LAWS_OF_LAWS} == set(LAWS)
    assert {name for name, row in LOWERED.items() if row.location_scale} == LOCATION_SCALE
    assert set(numpyro_model.DIRECTIONS) == DIRECTIONS


def run(lines: list[str], result: str, given: dict[str, Any]) -> Any:
    """Value of `result` after `lines`, with the definitions and imports that they need."""
    text = "\n".join([*lines, result])
    helpers = "\n".join(used(text))
    scope = dict(given)
    exec(
        compile("\n".join([imports(f"{text}\n{helpers}\njax.numpy jnp."), helpers, *lines]), "<emitted>", "exec"), scope
    )
    return eval(result, scope)


@cache
def expressions() -> dict[str, Expr]:
    return {text: test_functions.model(text, constants=False) for text in test_functions.CASES}


@pytest.mark.parametrize("expression", test_functions.CASES)
def test_the_text_of_a_function_has_the_value_of_the_reference(expression: str) -> None:
    given = {**test_functions.REAL, **test_functions.WHOLE}
    writer = Writer({name: name for name in given}, set(given))
    result = writer.text(expressions()[expression])
    with jax.enable_x64(True):
        got = run(writer.lines, result, {name: jnp.asarray(value) for name, value in given.items()})
    np.testing.assert_allclose(np.asarray(got, float), np.asarray(test_functions.CASES[expression], float), rtol=1e-6)


@pytest.mark.parametrize("name", law_cases.CASES)
def test_the_text_of_a_law_has_the_density_of_the_reference(name: str) -> None:
    case, law = law_cases.CASES[name], test_laws.law(name)
    assert isinstance(law, Law)
    writer = Writer({}, set())
    result = law_text(law, writer, tuple(map(str, law.shape)))
    points = np.asarray(case.points, int if case.type.startswith("int") else float)
    with jax.enable_x64(True):
        got = run(writer.lines, f"jax.jit(jax.vmap({result}.log_prob))(points)", {"points": jnp.asarray(points)})
    expected = [case.density(np.asarray(x)) for x in case.points]
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
