"""`bsi explain`: a code's page, or the list of all codes; as Markdown, and laid out where a terminal reads it."""

from __future__ import annotations

import difflib

from bsi import terminal
from bsi.dsl.diagnostic import Diagnostic
from bsi.dsl.explain import codes, explain, listing

OK, WRONG = 0, 2
WIDEST = 100  # columns that read well


def explain_code(code: str | None) -> int:
    """Print the page of `code`, or all codes by range. The command's exit status."""
    page = explain(code) if code is not None else listing()
    if code is not None and page is None:
        near = difflib.get_close_matches(code.upper(), codes(), n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "`bsi explain` alone lists all codes"
        terminal.show_diagnostics([Diagnostic("E0008", f"there is no code `{code}`", help=hint)], {})
        return WRONG
    assert page is not None
    columns = terminal.columns()
    if columns is None:
        terminal.out(page)
    else:
        _lay_out(page, min(columns, WIDEST))
    return OK


def _lay_out(page: str, columns: int) -> None:
    """Headings, lists and examples in colour."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(no_color=not terminal.use_colour(), width=columns)
    console.print(Markdown(page, code_theme="ansi_dark"))
