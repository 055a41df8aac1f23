"""Diagnostics for people: the source lines, carets under what is meant, and one line of advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.render.snippet import lines_of, marks_of, snippet
from bsi.dsl.render.style import BLUE, BOLD, Style, severity_colour
from bsi.dsl.render.width import wrap
from bsi.dsl.span import Source

SHALLOW = 60  # terminals narrower than this get small hanging indents


def render_text(
    diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source], *, colour: bool = False, width: int | None = None
) -> str:
    """All diagnostics in the order given, a blank line between them, and a last line that counts them.

    Arguments: `sources` by file name; a label in a file that is not among them shows its name alone. `width` is the
    terminal's in columns: longer source lines are cut around the caret, longer texts wrapped; paths stay whole.
    """
    style = Style(colour, width)
    parts = [_diagnostic(diagnostic, sources, style) for diagnostic in diagnostics]
    return "\n\n".join([*parts, summary(diagnostics, style)]) + "\n" if parts else ""


def summary(diagnostics: Sequence[Diagnostic], style: Style) -> str:
    """`error: 2 errors, 1 warning in model.bsi`."""
    counts = [(kind, sum(d.severity == kind for d in diagnostics)) for kind in ("error", "warning")]
    severity = next(kind for kind, count in counts if count)
    files = sorted({d.primary.span.file for d in diagnostics if d.primary})
    where = f" in {files[0]}" if len(files) == 1 else f" in {len(files)} files" if files else ""
    text = ", ".join(f"{count} {kind}{'s' * (count > 1)}" for kind, count in counts if count)
    return style.paint(f"{severity}:", severity_colour(severity)) + f" {text}{where}"


def _diagnostic(diagnostic: Diagnostic, sources: Mapping[str, Source], style: Style) -> str:
    head = f"{diagnostic.severity}[{diagnostic.code}]"
    first, *rest = _hanging(diagnostic.message, f"{head}: ", style)
    out = [style.paint(head, severity_colour(diagnostic.severity)) + style.paint(first[len(head) :], BOLD)]
    out += [style.paint(line, BOLD) for line in rest]
    labels = [*([diagnostic.primary] if diagnostic.primary else []), *diagnostic.secondary]
    known = [label for label in labels if label.span.file in sources]
    gutter = max((len(str(lines_of(label, sources[label.span.file])[1])) for label in known), default=1)
    files = list(dict.fromkeys(label.span.file for label in labels))
    for file in files:
        here = [label for label in labels if label.span.file == file]
        arrow = style.paint("-->" if file == files[0] else ":::", BLUE)
        if file not in sources:
            out.append(f"{' ' * gutter}{arrow} {file}")
            continue
        line, column = sources[file].line_and_column(here[0].span.start)
        out.append(f"{' ' * gutter}{arrow} {file}:{line}:{column}")
        marks = [mark for label in here for mark in marks_of(label, sources[file], label is diagnostic.primary)]
        out += snippet(sources[file], marks, gutter, diagnostic.severity, style)
    if files and (diagnostic.notes or diagnostic.help):
        out.append(style.paint(f"{' ' * gutter} |", BLUE))
    lead = f"{' ' * gutter} = "
    for kind, text in [*(("note", note) for note in diagnostic.notes), ("help", diagnostic.help)]:
        if text:
            first, *rest = _hanging(text, f"{lead}{kind}: ", style)
            out.append(f"{style.paint(lead[:-1], BLUE)} {style.paint(kind, BOLD)}{first[len(lead) + len(kind) :]}")
            out += rest
    return "\n".join(out)


def _hanging(text: str, lead: str, style: Style) -> list[str]:
    """`lead` and the text, wrapped; later lines are indented to the text's start, by little on a narrow terminal."""
    indent = len(lead)
    if style.width is not None and style.width < SHALLOW:
        indent = len(lead) - len(lead.lstrip()) + 2
    first, *rest = wrap(text, style.room(indent), style.room(len(lead)))
    return [(lead + first).rstrip(), *(" " * indent + line for line in rest)]
