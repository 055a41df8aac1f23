"""`%%bsi NAME` in notebooks, after `%load_ext bsi`: checks the cell, and makes `NAME` a model that runs.

IPython is not needed to import this: it hands its shell over (https://ipython.readthedocs.io, "Writing extensions").
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from bsi import terminal
from bsi.api import Model
from bsi.compiler.analyse import analyse
from bsi.dsl.render.text import render_text
from bsi.dsl.span import Source

COLUMNS = 100  # of a notebook's output


def load_ipython_extension(shell: Any) -> None:
    """Called by `%load_ext bsi` with the running shell."""
    shell.register_magic_function(partial(cell_magic, shell), magic_kind="cell", magic_name="bsi")


def cell_magic(shell: Any, line: str, cell: str) -> Model | None:
    """Check the model in `cell` and bind it to the name in `line`; print what is wrong with it.

    Data files are looked for in the current folder, and `NAME.run()` writes into `runs/NAME`. Without a name the model
    is the cell's value. After an error the name keeps what it had.

    Raises:
        ValueError: the line is not the name of a variable.
    """
    name = line.strip()
    if name and not name.isidentifier():
        raise ValueError(f"`%%bsi` takes the name of a variable, not `{name}`")
    source = Source(f"{name or 'cell'}.bsi", cell)
    found = analyse(source)
    if found.diagnostics:
        colour = not os.environ.get("NO_COLOR")
        terminal.out(render_text(found.diagnostics, found.sources, colour=colour, width=COLUMNS))
    if found.program is None:
        return None
    model = Model(found.program, found.diagnostics)
    if not name:
        return model
    shell.user_ns[name] = model
    return None
