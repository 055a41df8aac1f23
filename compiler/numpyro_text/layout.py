"""Python lines that are too long, broken at their brackets as Black and Ruff break them."""

from __future__ import annotations

from collections.abc import Iterator

WIDTH = 100
OPENING, CLOSING = "([{", ")]}"


def wrapped(line: str) -> list[str]:
    """`line`, or several lines when it is longer than `WIDTH`: the widest bracket goes on lines of its own, with one
    item a line where it still does not fit."""
    if len(line) <= WIDTH or line.lstrip().startswith("#"):
        return [line]
    indent = " " * (len(line) - len(line.lstrip()))
    pairs = _outer_pairs(line)
    if not pairs:
        return [line]
    start, stop = max(pairs, key=lambda pair: pair[1] - pair[0])
    body = line[start + 1 : stop]
    whole = f"{indent}    {body}"
    if len(whole) <= WIDTH:
        inner = [whole]
    else:
        items = _items(body)
        comma = "," if len(items) > 1 else ""
        inner = [part for item in items for part in wrapped(f"{indent}    {item}{comma}")]
    return [line[: start + 1], *inner, *wrapped(indent + line[stop:])]


def wrapped_all(text: str) -> list[str]:
    """Every line of a text, broken where it is too long; docstrings stay as they are."""
    out, quoted = [], False
    for line in text.splitlines():
        whole = line.count('"""') == 2
        out += [line] if quoted or '"""' in line else wrapped(line)
        quoted = quoted != ('"""' in line and not whole)
    return out


def filled(items: list[str], indent: str) -> list[str]:
    """Items separated by commas, as many a line as fit; the last line ends with a comma too."""
    lines, line = [], indent
    for item in items:
        if len(line) + len(item) + 1 > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += f"{item}, "
    return [*lines, line.rstrip()]


def _code(text: str) -> Iterator[tuple[int, str, int]]:
    """Position, character and depth of brackets, of what is not inside a string; a bracket has the depth it bounds."""
    depth, quote = 0, ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in OPENING:
            yield place, character, depth
            depth += 1
        elif character in CLOSING:
            depth -= 1
            yield place, character, depth
        else:
            yield place, character, depth


def _outer_pairs(line: str) -> list[tuple[int, int]]:
    """Places of the brackets that lie in no other bracket and hold something."""
    places = [place for place, character, depth in _code(line) if depth == 0 and character in OPENING + CLOSING]
    pairs = zip(places[::2], places[1::2], strict=False)
    return [(start, stop) for start, stop in pairs if stop > start + 1]


def _items(body: str) -> list[str]:
    """What stands between the commas of a bracket."""
    cuts = [place for place, character, depth in _code(body) if depth == 0 and character == ","]
    starts = [0, *(place + 1 for place in cuts)]
    return [body[a:b].strip() for a, b in zip(starts, [*cuts, len(body)], strict=True)]
