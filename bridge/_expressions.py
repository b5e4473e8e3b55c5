"""Arithmetic in kernels.toml: integers, names, + - * /, and the functions ceil and roundup. Exact, without `eval`."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

__all__ = ["evaluate"]

_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda a, b: Fraction(a) / b,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "ceil": math.ceil,
    "roundup": lambda value, multiple: math.ceil(Fraction(value) / multiple) * multiple,
}


def evaluate(expression: str, names: Mapping[str, int]) -> int:
    """Return the value of an expression that must come to an integer.

    Raises:
        KeyError: for a name that has no value.
        ValueError: where the text is no such expression, or its value no integer.
    """
    try:
        value = _value(ast.parse(expression, mode="eval").body, names)
    except (SyntaxError, TypeError, ZeroDivisionError) as error:
        raise ValueError(f"{expression!r} has no value: {error}") from None
    if value != int(value):
        raise ValueError(f"{expression!r} comes to {value}, which is not an integer")
    return int(value)


def _value(node: ast.expr, names: Mapping[str, int]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_value(node.left, names), _value(node.right, names))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
        return _FUNCTIONS[node.func.id](*(_value(argument, names) for argument in node.args))
    raise ValueError(f"{ast.unparse(node)!r} is neither a number, a name, a sum, a product, ceil nor roundup")
