"""Shapes, with the dims that axes belong to, and the shape rules of expression functions.

A rule takes the shapes of a function's arguments, then its sizes as plain numbers, and `axis` where the function has
one. It gives the shape of the result or raises `ShapeError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

Shape = tuple[int, ...]


class Axis(int):
    """A size that knows the dim it comes from. It equals, hashes and prints as its number, so keys never see the name;
    two axes of different dims do not combine, however their sizes compare."""

    dim: str

    def __new__(cls, size: int, dim: str) -> Axis:
        axis = super().__new__(cls, size)
        axis.dim = dim
        return axis


class ShapeError(Exception):
    """Says in the user's words why shapes do not fit."""


class DimError(ShapeError):
    """Two different dims meet where one is needed."""

    def __init__(self, first: Axis, second: Axis):
        agree = f", though both are {first:d}" if first == second else ""
        super().__init__(f"`{first.dim}` and `{second.dim}` are different dims{agree}")
        self.dims = (first.dim, second.dim)
        self.agree = first == second


def dim_of(size: int) -> str | None:
    """The dim that an axis belongs to; None for a plain number."""
    return size.dim if isinstance(size, Axis) else None


def show(shape: Sequence[int]) -> str:
    """`[2, 3]`; a scalar is `[]`."""
    return f"[{', '.join(map(str, shape))}]"


def described(shape: Sequence[int]) -> str:
    """`shape [2, 3]`, `shape [school, 3] = [8, 3]` or `a single number`."""
    if not shape:
        return "a single number"
    named = f"[{', '.join(dim_of(size) or str(size) for size in shape)}]"
    return f"shape {named} = {show(shape)}" if named != show(shape) else f"shape {named}"


def meet(*sizes: int) -> int | None:
    """The one size of axes that must be alike, with its dim where any has one; None when their numbers differ.

    Raises: DimError.
    """
    first = next((size for size in sizes if isinstance(size, Axis)), None)
    for size in sizes:
        if first is not None and isinstance(size, Axis) and size.dim != first.dim:
            raise DimError(first, size)
    return (sizes[0] if first is None else first) if len(set(sizes)) == 1 else None


def same(*shapes: Shape) -> Shape | None:
    """The one shape that all of `shapes` are, with every dim that one of them knows; None when they differ.

    Raises: DimError.
    """
    if len({len(shape) for shape in shapes}) != 1:
        return None
    axes = [meet(*sizes) for sizes in zip(*shapes, strict=True)]
    return None if None in axes else tuple(size for size in axes if size is not None)


def alike(a: Shape, b: Shape) -> bool:
    """Whether two shapes are one, dims included."""
    try:
        return same(a, b) is not None
    except DimError:
        return False


def broadcast(*shapes: Shape) -> Shape:
    """NumPy's broadcasting, except that only a plain 1 stretches: an axis of a dim has the size of that dim."""
    result: list[int] = []
    for axis in range(-max(map(len, shapes), default=0), 0):
        sizes = [shape[axis] for shape in shapes if len(shape) >= -axis]
        wide = [size for size in sizes if size != 1 or isinstance(size, Axis)]
        size = meet(*wide) if wide else 1
        if size is None:
            raise ShapeError(f"shapes {' and '.join(map(show, shapes))} do not fit together")
        result.append(size)
    return tuple(result)


def clash(a: Shape, b: Shape) -> DimError | None:
    """Two dims that alone keep shapes from broadcasting: their sizes agree."""
    try:
        broadcast(a, b)
    except DimError as error:
        return error if error.agree else None
    except ShapeError:
        return None
    return None


def fits(shape: Shape, target: Shape) -> bool:
    """Whether `shape` broadcasts to exactly `target`."""
    try:
        return broadcast(shape, target) == target
    except ShapeError:
        return False


def _inner(a: int, b: int, message: str) -> None:
    if meet(a, b) is None:
        raise ShapeError(message)


def _matmul(a: Shape, b: Shape) -> Shape:
    """NumPy's `@`: vectors are rows on the left and columns on the right; axes before the last two broadcast."""
    if not a or not b:
        raise ShapeError("`@` needs vectors or matrices; use `*` for a number")
    _inner(a[-1], b[max(len(b) - 2, 0)], f"inner sizes differ: {show(a)} @ {show(b)}")
    return (*broadcast(a[:-2], b[:-2]), *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


def _dot(a: Shape, b: Shape) -> Shape:
    if len(a) != 1 or same(a, b) is None:
        raise ShapeError(f"needs two vectors of one size, not {described(a)} and {described(b)}")
    return ()


def _outer(a: Shape, b: Shape) -> Shape:
    if len(a) != 1 or len(b) != 1:
        raise ShapeError(f"needs two vectors, not {described(a)} and {described(b)}")
    return a + b


def _transpose(a: Shape) -> Shape:
    if len(a) < 2:
        raise ShapeError(f"needs a matrix, not {described(a)}")
    return (*a[:-2], a[-1], a[-2])


def _diag(a: Shape) -> Shape:
    if len(a) == 1:
        return a + a
    if len(a) == 2 and meet(*a) is not None:
        return a[:1]
    raise ShapeError(f"needs a vector or a square matrix, not {described(a)}")


def _square(a: Shape, *_: int) -> Shape:
    if len(a) < 2 or meet(*a[-2:]) is None:
        raise ShapeError(f"needs a square matrix, not {described(a)}")
    return a


def _square_to_scalar(a: Shape) -> Shape:
    return _square(a)[:-2]


def _solve(a: Shape, b: Shape) -> Shape:
    if len(_square(a)) > 2:
        raise ShapeError(f"needs one square matrix, not {described(a)}")
    if not 1 <= len(b) <= 2 or meet(a[0], b[0]) is None:
        raise ShapeError(f"the matrix has shape {show(a)}, but the right-hand side has {described(b)}")
    return b


def _quad_form(a: Shape, x: Shape) -> Shape:
    _solve(a, x)
    return x[1:] + x[1:]


def _kron(a: Shape, b: Shape) -> Shape:
    if len(a) != 2 or len(b) != 2:
        raise ShapeError(f"needs two matrices, not {described(a)} and {described(b)}")
    return (a[0] * b[0], a[1] * b[1])


def _squared_distance(a: Shape, b: Shape) -> Shape:
    if not 1 <= len(a) <= 2 or len(a) != len(b) or same(a[1:], b[1:]) is None:
        raise ShapeError(f"needs two sets of points with as many coordinates, not {described(a)} and {described(b)}")
    return (a[0], b[0])


def _interp(x: Shape, xs: Shape, ys: Shape) -> Shape:
    if len(xs) != 1 or same(xs, ys) is None:
        raise ShapeError(f"needs two vectors of one size to interpolate, not {described(xs)} and {described(ys)}")
    return x


def _one(a: Shape, axis: int) -> Shape:
    if not a:
        raise ShapeError("needs a vector, not a single number")
    if axis >= len(a):
        raise ShapeError(f"there is no axis {axis}: this has {described(a)}")
    return a


def _reduce(a: Shape, axis: int | None) -> Shape:
    return () if axis is None else (*_one(a, axis)[:axis], *a[axis + 1 :])


def _diff(a: Shape, axis: int) -> Shape:
    if _one(a, axis)[axis] < 2:
        raise ShapeError("needs at least two entries")
    return (*a[:axis], a[axis] - 1, *a[axis + 1 :])


def _concat(*shapes: Shape, axis: int) -> Shape:
    if not all(shapes):
        raise ShapeError("joins arrays; write `[a, b]` to make a vector of numbers")
    rest = same(*(_one(shape, axis)[:axis] + shape[axis + 1 :] for shape in shapes))
    if rest is None:
        place = "behind the leading axis" if axis == 0 else f"beside axis {axis}"
        raise ShapeError(f"shapes {', '.join(map(show, shapes))} differ {place}")
    joined = shapes[0][axis] if len(shapes) == 1 else sum(shape[axis] for shape in shapes)
    return (*rest[:axis], joined, *rest[axis:])


def _stack(*shapes: Shape, axis: int) -> Shape:
    shape = same(*shapes)
    if shape is None:
        raise ShapeError(f"needs values of one shape, not {', '.join(map(show, shapes))}")
    if axis > len(shape):
        raise ShapeError(f"there is no axis {axis} for a stack of {described(shape)}")
    return (*shape[:axis], len(shapes), *shape[axis:])


def _repeat(a: Shape, n: int) -> Shape:
    return (a[0] * n, *a[1:]) if a else (n,)


def _reshape(a: Shape, *sizes: int) -> Shape:
    if math.prod(a) != math.prod(sizes):
        raise ShapeError(f"{described(a)} has {math.prod(a)} entries, and {show(sizes)} has {math.prod(sizes)}")
    return sizes


def _flatten(a: Shape) -> Shape:
    return a if len(a) == 1 else (math.prod(a),)


def _ends(low: Shape, high: Shape, n: int) -> Shape:
    for end in (low, high):
        if end:
            raise ShapeError(f"needs single numbers, not {described(end)}")
    return (n,)


RULES: dict[str, Callable[..., Shape]] = {
    "elementwise": broadcast,
    "reduce": _reduce,
    "along": _one,
    "diff": _diff,
    "matmul": _matmul,
    "dot": _dot,
    "outer": _outer,
    "transpose": _transpose,
    "diag": _diag,
    "square": _square,
    "square_to_scalar": _square_to_scalar,
    "solve": _solve,
    "quad_form": _quad_form,
    "kron": _kron,
    "squared_distance": _squared_distance,
    "interp": _interp,
    "concat": _concat,
    "stack": _stack,
    "repeat": _repeat,
    "reshape": _reshape,
    "flatten": _flatten,
    "fill": lambda *sizes: sizes,
    "eye": lambda n: (n, n),
    "linspace": _ends,
}


def apply(rule: str, shapes: Sequence[Shape], sizes: Sequence[int] = (), **options: Any) -> Shape:
    """Raises: ShapeError."""
    return RULES[rule](*shapes, *sizes, **options)
