"""Reads configs in Python files of mmengine's form. Only the syntax tree is read, and no code is executed."""

import ast
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lehr.handlers.schedules.arguments import shown, shown_text, within_limits

BASE = "_base_."  # a file cannot have a variable of this name
# The most characters in a file, characters in a path, files under `_base_`, levels of `_base_`, and values in a file.
MOST_TEXT, MOST_NAME, MOST_FILES, MOST_LEVELS, MOST_VALUES = 300_000, 1000, 100, 10, 100_000
LARGEST = 1e15  # sums and products of larger numbers are not computed
OPERATIONS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


class Unreadable:
    """Replaces a value that is not plain data, and shows the source text and the line of the value."""

    def __init__(self, node: ast.AST) -> None:
        self.node, self.line = node, getattr(node, "lineno", 0)

    def __repr__(self) -> str:
        try:
            text = shown_text(ast.unparse(self.node), 80)
        except RecursionError:
            text = "a value"
        return f"{text} in line {self.line}"


def read_python(content: str, base: dict[str, Any] | None = None) -> dict[str, Any]:
    r"""Return the variables of a Python file as a mapping.

    A value may consist of literals, ``dict(...)``, sums and products of numbers, earlier variables and their items,
    variables of the base as ``_base_.name``, and imported names. An imported name becomes its import path. Any other
    value becomes an :class:`Unreadable`.

    Args:
        content: the text of the file.
        base: the variables of the files that this file names under ``_base_``. If None, they are unknown.

    Raises:
        ValueError: the text is not Python, or is nested too deeply.

    >>> read_python("epochs = 12\nparam_scheduler = [dict(type='LinearLR', end=epochs // 4)]\nmodel = build()")
    {'epochs': 12, 'param_scheduler': [{'type': 'LinearLR', 'end': 3}], 'model': build() in line 3}
    """
    try:
        tree = ast.parse(content)
        known: dict[str, Any] = {BASE: base}
        for node in _statements(tree.body):
            targets = [one for one in getattr(node, "targets", []) if isinstance(one, ast.Name)]
            if isinstance(node, ast.ImportFrom):
                known.update({one.asname or one.name: f"{node.module or ''}.{one.name}" for one in node.names})
            elif isinstance(node, ast.Assign) and len(targets) == len(node.targets):
                value = _value(node.value, known)
                known.update({target.id: value for target in targets})
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                if node.value is not None:
                    known[node.target.id] = _value(node.value, known)
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.Assert):
                known.update(dict.fromkeys(_changed(node), Unreadable(node)))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise ValueError(f"the text is not well-formed{f' in line {line}' if line else ''}: {error.args[0]}") from None
    except (RecursionError, MemoryError) as error:
        raise ValueError("too deeply nested") from error
    del known[BASE]
    return known


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a file, including those in ``with read_base():``."""
    return [inner for one in body for inner in (one.body if isinstance(one, ast.With) else [one])]


def _changed(node: ast.stmt) -> set[str]:
    """Return the variables to which a statement assigns, or whose methods it calls."""
    changed = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load):
            changed.add(one.id)
        elif isinstance(one, ast.Attribute | ast.Subscript) and (isinstance(node, ast.Expr) or _is_target(one)):
            inner: ast.expr = one
            part: Any = ""
            while isinstance(inner, ast.Attribute | ast.Subscript):
                part = inner.attr if isinstance(inner, ast.Attribute) else getattr(inner.slice, "value", "")
                inner = inner.value
            name = inner.id if isinstance(inner, ast.Name) else ""
            # A statement that changes `_base_.name` changes the variable `name`; `_base_.clear()` changes all of them.
            of_base = name == "_base_" and isinstance(part, str) and part and not hasattr(dict, part)
            changed |= {part if of_base else name} - {""}
    return changed


def _is_target(node: ast.Attribute | ast.Subscript) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _value(node: ast.expr, known: dict[str, Any]) -> Any:
    """Return the value of an expression, or an :class:`Unreadable` if the value is not plain data."""
    made: Any = Unreadable(node)  # for any other expression
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
        made = node.value
    elif isinstance(node, ast.List | ast.Tuple):
        items = [_value(one, known) for one in node.elts]
        made = items if isinstance(node, ast.List) else tuple(items)
    elif isinstance(node, ast.Dict) and None not in node.keys:
        keys = [_value(one, known) for one in node.keys if one is not None]
        if all(isinstance(key, str) for key in keys):
            made = dict(zip(keys, [_value(one, known) for one in node.values], strict=True))
    elif isinstance(node, ast.Call) and all(one.arg is not None for one in node.keywords) and not node.args:
        values = {one.arg: _value(one.value, known) for one in node.keywords}
        path = _lazy_path(node.func, known)
        if isinstance(node.func, ast.Name) and node.func.id == "dict":
            made = values
        elif path is not None:
            made = {"_target_": path, **values}
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


def _lazy_path(node: ast.expr, known: dict[str, Any]) -> str | None:
    """Return the import path of the name in detectron2's ``LazyCall(name)``, or None for any other expression."""
    if not isinstance(node, ast.Call) or node.keywords or len(node.args) != 1:
        return None
    function, path = _value(node.func, known), _value(node.args[0], known)
    is_lazy = isinstance(function, str) and function.startswith("detectron2.") and function.endswith(".LazyCall")
    return path if is_lazy and isinstance(path, str) else None


def _part(value: Any, key: Any, failed: Any) -> Any:
    """Return an item of a dictionary or a list, or ``failed`` if the item does not exist."""
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key, failed)
    listed = isinstance(value, list | tuple) and type(key) is int and -len(value) <= key < len(value)
    return value[key] if listed else failed


def _computed(operation: Callable[[Any, Any], Any], left: Any, right: Any, failed: Any) -> Any:
    """Return the result of an operation, or ``failed`` if an operand is not a number or is too large."""
    if {type(left), type(right)} <= {int, float} and all(abs(one) <= LARGEST for one in (left, right)):
        try:
            return operation(left, right)
        except ArithmeticError:
            pass
    return failed


def read_with_bases(path: Path, root: Path | None, read_text: Callable[[Path], str]) -> dict[str, Any]:
    """Return the variables of a Python file and of the files under its ``_base_``. The file overrides its bases.

    Args:
        path: the file.
        root: the folder below which the files of ``_base_`` must be. If None, ``_base_`` is ignored.
        read_text: a function that reads a file.

    Raises:
        ValueError: a file cannot be read, is not below ``root``, or is its own base; there are more than 100 files.
    """
    return _with_bases(path, root, read_text, {}, ())


def _with_bases(
    path: Path,
    root: Path | None,
    read_text: Callable[[Path], str],
    known: dict[Path, dict[str, Any]],
    around: tuple[Path, ...],
) -> dict[str, Any]:
    """Return the variables of a file. ``around`` are the files that lead to it, and ``known`` has earlier files."""
    content = read_text(path)
    if len(content) > MOST_TEXT:
        raise ValueError(f"a Python file must have at most {MOST_TEXT} characters, given more")
    own = read_python(content)
    bases = own.pop("_base_", [])
    if root is None:
        return own
    if not isinstance(bases, str | list | tuple):
        raise ValueError(f"_base_ must be the path of a file, or a list of paths, given {shown(bases)}")
    whole: dict[str, Any] = {}
    for base in [bases] if isinstance(bases, str) else bases:
        if not isinstance(base, str) or len(base) > MOST_NAME:
            raise ValueError(f"_base_ must be the path of a file, given {shown(base)}")
        inner = (path.parent / base).resolve()
        if not inner.is_relative_to(root.resolve()):
            raise ValueError(f"_base_ must be a file below root, given {shown(base)}")
        if inner.suffix != ".py":
            raise ValueError(f"_base_ must be a .py file, given {shown(base)}")
        if inner in (path.resolve(), *around) or len(around) >= MOST_LEVELS:
            raise ValueError(
                f"_base_ must not lead back to its own file, nor be more than {MOST_LEVELS} deep, given {shown(base)}"
            )
        if inner not in known:
            if len(known) >= MOST_FILES:
                raise ValueError(f"_base_ must lead to at most {MOST_FILES} files, given more")
            known[inner] = _with_bases(inner, root, read_text, known, (*around, path.resolve()))
        whole = merged(whole, known[inner])
    own = read_python(content, whole)
    own.pop("_base_", None)
    within_limits("a Python file", own, values=MOST_VALUES)
    return merged(whole, own)


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the values of ``over``, at all levels. The key ``_delete_`` drops all keys of ``base``.

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
