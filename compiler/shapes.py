"""Shape rules of expression functions. Every rule takes shapes and gives a shape, or raises `ShapeError`.

Constructors (`zeros`, `eye`, `linspace`) take sizes instead; `compiler.expressions` reads those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Shape = tuple[int, ...]


class ShapeError(Exception):
    """Says in the user's words why shapes do not fit."""


def show(shape: Shape) -> str:
    """`[2, 3]`; a scalar is `[]`."""
    return f"[{', '.join(map(str, shape))}]"


def described(shape: Shape) -> str:
    return f"shape {show(shape)}" if shape else "a single number"


def broadcast(*shapes: Shape) -> Shape:
    """NumPy's broadcasting."""
    result: list[int] = []
    for axis in range(-max(map(len, shapes), default=0), 0):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        if len(sizes) > 1:
            raise ShapeError(f"shapes {' and '.join(map(show, shapes))} do not fit together")
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


def fits(shape: Shape, target: Shape) -> bool:
    """Whether `shape` broadcasts to exactly `target`."""
    try:
        return broadcast(shape, target) == target
    except ShapeError:
        return False


def matmul(a: Shape, b: Shape) -> Shape:
    if len(a) == 0 or len(b) == 0:
        raise ShapeError("`@` needs vectors or matrices; use `*` for a number")
    if len(a) > 2 or len(b) > 2:
        raise ShapeError(f"`@` needs vectors or matrices, not shapes {show(a)} and {show(b)}")
    if a[-1] != b[0]:
        raise ShapeError(f"inner sizes differ: {show(a)} @ {show(b)}")
    return a[:-1] + b[1:]


def dot(a: Shape, b: Shape) -> Shape:
    if len(a) != 1 or a != b:
        raise ShapeError(f"needs two vectors of one size, not {described(a)} and {described(b)}")
    return ()


def outer(a: Shape, b: Shape) -> Shape:
    if len(a) != 1 or len(b) != 1:
        raise ShapeError(f"needs two vectors, not {described(a)} and {described(b)}")
    return a + b


def transpose(a: Shape) -> Shape:
    if len(a) != 2:
        raise ShapeError(f"needs a matrix, not {described(a)}")
    return a[::-1]


def diag(a: Shape) -> Shape:
    if len(a) == 1:
        return a + a
    if len(a) == 2 and a[0] == a[1]:
        return a[:1]
    raise ShapeError(f"needs a vector or a square matrix, not {described(a)}")


def square(a: Shape) -> Shape:
    if len(a) != 2 or a[0] != a[1]:
        raise ShapeError(f"needs a square matrix, not {described(a)}")
    return a


def square_to_scalar(a: Shape) -> Shape:
    square(a)
    return ()


def solve(a: Shape, b: Shape) -> Shape:
    square(a)
    if not 1 <= len(b) <= 2 or b[0] != a[0]:
        raise ShapeError(f"the matrix has shape {show(a)}, but the right-hand side has {described(b)}")
    return b


def along(a: Shape) -> Shape:
    if not a:
        raise ShapeError("needs a vector, not a single number")
    return a


def reduce(a: Shape) -> Shape:
    return ()


def concat(*shapes: Shape) -> Shape:
    if not all(shapes):
        raise ShapeError("joins arrays; write `[a, b]` to make a vector of numbers")
    if len({shape[1:] for shape in shapes}) > 1:
        raise ShapeError(f"shapes {', '.join(map(show, shapes))} differ behind the leading axis")
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])


def stack(*shapes: Shape) -> Shape:
    if len(set(shapes)) > 1:
        raise ShapeError(f"needs values of one shape, not {', '.join(map(show, shapes))}")
    return (len(shapes), *shapes[0])


RULES: dict[str, Callable[..., Shape]] = {
    "elementwise": broadcast,
    "reduce": reduce,
    "along": along,
    "matmul": matmul,
    "dot": dot,
    "outer": outer,
    "transpose": transpose,
    "diag": diag,
    "square": square,
    "square_to_scalar": square_to_scalar,
    "solve": solve,
    "concat": concat,
    "stack": stack,
}


def apply(rule: str, shapes: Sequence[Shape]) -> Shape:
    """Raises: ShapeError."""
    return RULES[rule](*shapes)
