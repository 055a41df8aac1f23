"""Import contracts hold, and each is seen to fail when it is broken."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

# contract -> a module and the import that breaks it
BREACHES = {
    "layers": ("dsl/span.py", "import bsi.compiler.plan"),
    "dsl": ("dsl/span.py", "import bsi.compiler.ir"),
    "runtime": ("runtime/transport/base.py", "import bsi.dsl.span"),
    "light": ("bsi/api.py", "import numpy"),
    "compiler-light": ("compiler/laws.py", "import numpy"),
    "reference": ("runtime/reference/diagnostics.py", "import bsi.runtime.process\nimport bsi.runtime.score"),
}


def lint(folder: Path, contract: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--contract", contract, "--no-cache"]
    environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def copy_of_tree(folder: Path) -> Path:
    (folder / "bsi").mkdir()
    for name in ("dsl", "compiler", "runtime"):
        shutil.copytree(ROOT / name, folder / "bsi" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (ROOT / "bsi").iterdir():
        if file.suffix == ".py":
            shutil.copy(file, folder / "bsi" / file.name)
    shutil.copytree(ROOT / "bsi" / "jobs", folder / "bsi" / "jobs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_every_contract_has_a_breach():
    assert {contract["id"] for contract in CONTRACTS} == set(BREACHES)


@pytest.mark.skipif(shutil.which("lint-imports") is None, reason="import-linter is a development dependency")
@pytest.mark.parametrize("contract", BREACHES)
def test_a_breach_is_noticed(contract, tmp_path):
    tree = copy_of_tree(tmp_path)
    kept = lint(tree, contract)
    assert kept.returncode == 0, kept.stdout
    module, line = BREACHES[contract]
    path = tree / (module if module.startswith("bsi/") else f"bsi/{module}")
    path.write_text(path.read_text() + f"\n{line}\n")
    assert lint(tree, contract).returncode == 1


def test_bare_names_are_not_imported():
    code = (
        "import sys, bsi.commands, bsi.compiler.lower.model, bsi.runtime.training;"
        "assert not {'dsl', 'compiler', 'runtime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_checking_imports_no_numerics():
    code = (
        "import sys; from bsi.commands import check_files; from pathlib import Path;"
        "assert check_files([Path('examples/eight_schools/eight_schools.bsi')], [], 'text', False) == 0;"
        "heavy = {'jax', 'numpy', 'equinox', 'numpyro', 'xarray', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
