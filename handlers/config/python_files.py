"""Configs in Python files, as mmengine has them: read by their syntax tree, never executed."""

import ast
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lehr.handlers.schedules.arguments import shown, shown_text

BASE = "_base_."  # no name that a file can give a variable
LARGEST = 1e15  # number in a sum or a product
OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


class Unreadable:
    """A value that is more than data: its text and its line."""

    def __init__(self, node: ast.AST) -> None:
        self.text, self.line = shown_text(ast.unparse(node), 80), getattr(node, "lineno", 0)

    def __repr__(self) -> str:
        return f"{self.text} in line {self.line}"


def read_python(content: str, base: dict[str, Any] | None = None) -> dict[str, Any]:
    r"""The variables of a Python file as a mapping.

    A value may be made of literals, ``dict(...)``, sums and products of numbers, earlier variables and parts of them,
    those of the base as ``_base_.name``, and imported names, which stand for their import path. Any other value is an
    :class:`Unreadable`.

    Args:
        content: the text of the file.
        base: the variables of the files that its ``_base_`` names; None if they are unknown.

    Raises:
        ValueError: the text is not Python, or is nested too deeply.

    >>> read_python("epochs = 12\nparam_scheduler = [dict(type='LinearLR', end=epochs // 4)]\nmodel = build()")
    {'epochs': 12, 'param_scheduler': [{'type': 'LinearLR', 'end': 3}], 'model': build() in line 3}
    """
    try:
        tree = ast.parse(content)
        known: dict[str, Any] = {BASE: base}
        for node in _statements(tree.body):
            if isinstance(node, ast.ImportFrom):
                known |= {one.asname or one.name: f"{node.module or ''}.{one.name}" for one in node.names}
            elif isinstance(node, ast.Assign):
                value = _value(node.value, known)
                known |= {target.id: value for target in node.targets if isinstance(target, ast.Name)}
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise ValueError(f"not well-formed{f' in line {line}' if line else ''}: {error.args[0]}") from None
    except (RecursionError, MemoryError) as error:
        raise ValueError("too deeply nested") from error
    del known[BASE]
    return known


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a file, with those in ``with read_base():``."""
    return [inner for one in body for inner in (one.body if isinstance(one, ast.With) else [one])]


def _value(node: ast.expr, known: dict[str, Any]) -> Any:
    """The value of an expression; an :class:`Unreadable` where it is more than data."""
    made: Any = Unreadable(node)
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
        made = node.value
    elif isinstance(node, ast.List | ast.Tuple):
        items = [_value(one, known) for one in node.elts]
        made = items if isinstance(node, ast.List) else tuple(items)
    elif isinstance(node, ast.Dict) and None not in node.keys:
        keys = [_value(one, known) for one in node.keys if one is not None]
        if all(isinstance(key, str) for key in keys):
            made = dict(zip(keys, [_value(one, known) for one in node.values], strict=True))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        if all(one.arg is not None for one in node.keywords):
            made = {one.arg: _value(one.value, known) for one in node.keywords}
    elif isinstance(node, ast.Name):
        made = known.get(node.id, made)
    elif isinstance(node, ast.Attribute):
        of_base = isinstance(node.value, ast.Name) and node.value.id == "_base_"
        made = _part(known[BASE] if of_base else _value(node.value, known), node.attr, made)
    elif isinstance(node, ast.Subscript):
        made = _part(_value(node.value, known), _value(node.slice, known), made)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        made = _computed(operator.sub, 0, _value(node.operand, known), made)
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
        made = _computed(OPERATIONS[type(node.op)], _value(node.left, known), _value(node.right, known), made)
    return made


def _part(value: Any, key: Any, failed: Any) -> Any:
    """An item of a dictionary or a list."""
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key, failed)
    listed = isinstance(value, list | tuple) and type(key) is int and -len(value) <= key < len(value)
    return value[key] if listed else failed


def _computed(operation: Callable[[Any, Any], Any], left: Any, right: Any, failed: Any) -> Any:
    """The result of an operation on two numbers of a usual size."""
    if {type(left), type(right)} <= {int, float} and all(abs(one) <= LARGEST for one in (left, right)):
        try:
            return operation(left, right)
        except ArithmeticError:
            pass
    return failed


def read_with_bases(
    path: Path, root: Path | None, read_text: Callable[[Path], str], levels: int = 10
) -> dict[str, Any]:
    """The variables of a Python file, and those of the files that its ``_base_`` names, which it overrides.

    Args:
        path: the file.
        root: the folder that has the files of ``_base_``; None to leave them out.
        read_text: reads a file.
        levels: how many levels of ``_base_`` there may be.

    Raises:
        ValueError: a file cannot be read, is not below ``root``, or is at too deep a level.
    """
    own = read_python(read_text(path))
    bases = own.pop("_base_", [])
    if root is None or isinstance(bases, Unreadable):
        return own
    whole: dict[str, Any] = {}
    for base in [bases] if isinstance(bases, str) else bases:
        if not isinstance(base, str):
            raise ValueError(f"_base_ must be the path of a file, given {shown(base)}")
        if not levels:
            raise ValueError("_base_ must be nested at most 10 deep, given more")
        inner = (path.parent / base).resolve()
        if not inner.is_relative_to(root.resolve()):
            raise ValueError(f"_base_ must be a file below root, given {shown(base)}")
        whole = merged(whole, read_with_bases(inner, root, read_text, levels - 1))
    own = read_python(read_text(path), whole)
    own.pop("_base_", None)
    return merged(whole, own)


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """A mapping with the entries of another one over it, at all levels; ``_delete_`` leaves out those of the base.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}), merged({"a": {"b": 1}}, {"a": {"_delete_": True, "c": 3}})
    ({'a': {'b': 1, 'c': 3}}, {'a': {'c': 3}})
    """
    result = {} if over.get("_delete_") is True else dict(base)
    for key, value in over.items():
        if isinstance(value, dict):
            below = result.get(key)
            value = merged(below if isinstance(below, dict) else {}, value)
        result[key] = value
    result.pop("_delete_", None)
    return result
