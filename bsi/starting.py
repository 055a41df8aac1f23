"""`bsi new`: a folder with a commented model and its data, from a template."""

from __future__ import annotations

from pathlib import Path

from bsi import terminal
from bsi.dsl.diagnostic import Diagnostic

TEMPLATES = Path(__file__).parent / "templates"
OK, WRONG = 0, 2


def new_model(name: str, template: str) -> int:
    """Write NAME/NAME.bsi and what it reads; nothing that exists is touched. The command's exit status."""
    folder = Path(name)
    model = folder / f"{folder.resolve().name}.bsi"
    targets = {
        source: model if source.suffix == ".bsi" else folder / source.name
        for source in sorted((TEMPLATES / template).iterdir(), key=lambda path: path.suffix != ".bsi")
    }
    taken = next((target for target in targets.values() if target.exists()), None)
    if taken:
        return _refused(Diagnostic("E0010", f"`{taken}` exists already", help="choose another name"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source, target in targets.items():
            target.write_text(source.read_text(encoding="utf-8").replace("FILE", model.name), encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return _refused(Diagnostic("E0612", f"cannot write `{error.filename}`: {reason}", help="choose another folder"))
    terminal.say(f"wrote {', '.join(str(target) for target in targets.values())}; run it: bsi run {model}")
    return OK


def _refused(diagnostic: Diagnostic) -> int:
    terminal.show_diagnostics([diagnostic], {})
    return WRONG
