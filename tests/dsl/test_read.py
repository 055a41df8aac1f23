"""Files that cannot be models, and files that can."""

import sys

import pytest

from bsi.dsl.parser import parse
from bsi.dsl.read import LARGEST, read_source


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "E0005"),
        (b" \n\n", "E0005"),
        (b"\xef\xbb\xbf\n", "E0005"),
        (b"bsi 1\n\xff", "E0004"),
        ("bsi 1\n".encode("utf-16"), "E0004"),
        (b"bsi 1\n\0", "E0004"),
        (b"\x89PNG\r\n\x1a\n", "E0004"),
        (b"#" * (LARGEST + 1), "E0006"),
    ],
)
def test_refused_content(tmp_path, content, code):
    path = tmp_path / "model.bsi"
    path.write_bytes(content)
    source, (diagnostic,) = read_source(path)
    assert source is None and diagnostic.code == code and diagnostic.help


def test_the_line_of_a_bad_byte_is_named(tmp_path):
    (tmp_path / "m.bsi").write_bytes(b"bsi 1\nlet a = 1 # \xe9\n")
    assert read_source(tmp_path / "m.bsi")[1][0].notes == ("byte 0xE9 in line 2 is not UTF-8",)


def test_missing_file_and_what_was_meant(tmp_path):
    (tmp_path / "model.bsi").write_text("bsi 1\n")
    for name in ("modle.bsi", "model"):
        source, (diagnostic,) = read_source(tmp_path / name)
        assert source is None and diagnostic.code == "E0001"
        assert diagnostic.help == f"did you mean `{tmp_path / 'model.bsi'}`?"
    assert "relative" in (read_source(tmp_path / "no" / "such.bsi")[1][0].help or "")


def test_folder(tmp_path):
    assert read_source(tmp_path)[1][0].code == "E0002"


@pytest.mark.skipif(sys.platform == "win32", reason="a zero byte in a name is another error there")
def test_unreadable(tmp_path):
    (tmp_path / "loop.bsi").symlink_to(tmp_path / "loop.bsi")
    assert read_source(tmp_path / "loop.bsi")[1][0].code == "E0003"
    assert read_source("m\0.bsi")[1][0].code == "E0003"


def test_mark_and_line_ends(tmp_path):
    path = tmp_path / "m.bsi"
    path.write_bytes(b"\xef\xbb\xbfbsi 1\r\ndim d = 2\r\n")
    source, diagnostics = read_source(path)
    assert diagnostics == [] and source is not None and source.text == "bsi 1\r\ndim d = 2\r\n"
    module, diagnostics = parse(source)
    assert diagnostics == [] and source.line_and_column(module.declarations[0].span.start) == (2, 5)
    assert source.line(1) == "bsi 1"
