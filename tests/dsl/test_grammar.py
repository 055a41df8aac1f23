"""The grammar's tables are kept between runs, and what is kept is never trusted blindly."""

import subprocess
import sys
import time

import pytest

from bsi.dsl.grammar import GRAMMAR, cache_file, grammar, keywords, nouns
from bsi.dsl.parser import parse
from bsi.dsl.span import Source
from tests.dsl.helpers import EVERYTHING


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A cache folder of the test's own, and no parser yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    grammar.cache_clear()
    yield tmp_path / "bsi"
    grammar.cache_clear()


def tree() -> object:
    grammar.cache_clear()
    return parse(Source("m.bsi", EVERYTHING + "\nlet a = (1\nlet b = = 2\n"))


def test_loaded_tables_parse_like_built_ones(home):
    built = tree()
    (file,) = home.iterdir()
    before = file.stat().st_mtime_ns
    assert tree() == built
    assert file.stat().st_mtime_ns == before, "the second parser was loaded"


@pytest.mark.parametrize("content", ["", "\n", "[[], []]", "0\n[[], []]", "half"])
def test_a_spoilt_cache_is_built_again(home, content):
    built = tree()
    (file,) = home.iterdir()
    file.write_text(file.read_text()[:20_000] if content == "half" else content)
    assert tree() == built and len(file.read_text()) > 10_000


def test_a_cache_that_cannot_be_written_is_no_error(home, tmp_path):
    home.write_text("a file where the folder should be")
    assert tree()


def test_no_home(monkeypatch):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert cache_file("0" * 16) is None


def test_importing_the_parser_builds_nothing_and_imports_no_lark():
    code = "import sys; import bsi.dsl.parser; sys.exit('lark' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_two_thousand_lines_take_less_than_a_second():
    source = Source("m.bsi", "bsi 1\n" + EVERYTHING.split("\n", 1)[1] * 50)
    assert source.text.count("\n") > 2_000
    grammar()
    start = time.process_time()
    parse(source)
    assert time.process_time() - start < 1.0


def test_the_reference_lists_every_noun_and_keyword():
    reference = (GRAMMAR.parent / "README.md").read_text(encoding="utf-8")
    for noun in nouns().values():
        assert f"\n| `{noun}` | `{noun} " in reference
    listed = reference.split("the nouns, and `")[1].split("`")[0].split()
    assert sorted(listed) == sorted(keywords() - set(nouns().values()))
