"""Functions that read the texts with which states from versions before 0.2 describe a schedule."""

import ast
import re
from typing import Any

# Classes and functions that were renamed: {former name: new name}.
RENAMED = {"_Custom": "UserDecay"}
ADDRESS = r" at 0x[0-9a-fA-F]+"
_NAME = re.compile(r"(?<![\w.])([A-Za-z_][\w.<>]*)")


def read_text(text: str) -> Any:
    """Parse a text such as ``Anneal(start_value=0.1, ...)`` to a description. Return None for a text of another form.

    Example:
        >>> read_text("Product(schedules=(Constant(value=0.3), FunctionSchedule(function=rates.half)))")["schedules"][1]
        {'type': 'FunctionSchedule', 'function': {'function': 'rates.half'}}
        >>> read_text("Custom(function=<function half at 0x7f6b1dee1940>)")
        {'type': 'Custom', 'function': {'function': 'half'}}
    """
    text = re.sub(r"<(lambda|locals)>", r"__\1__", text)
    text = re.sub(rf"<([\w.]+) object{ADDRESS}>", r"\1()", text)
    text = re.sub(r"<bound method ([\w.]+) of [^<>]*>", r"\1", text)
    text = re.sub(rf"<(?:[a-z-]+ )+?'?([\w.]+)'?(?:{ADDRESS})?>", r"\1", text)
    text = re.sub(r"<[^<>]+>", lambda match: f"__repr__({match[0]!r})", text)
    text = re.sub(r"(\.get_param) over (?=\w)", r"\1 @ ", text)
    try:
        return _description(ast.parse(text, mode="eval").body)
    except (SyntaxError, TypeError, ValueError, IndexError, RecursionError, MemoryError):
        return None


def _description(node: ast.AST) -> Any:
    match node:
        case ast.Call(func=function, args=given, keywords=named):
            name, items = ast.unparse(function), [_description(item) for item in given]
            keywords = {"type_" if one.arg == "type" else str(one.arg): _description(one.value) for one in named}
            if name == "__repr__":
                return {"repr": items[0]}
            if name == "array":
                return items[0]
            if name.split(".")[-1] == "partial":
                return {"type": "partial", "function": items[0], "args": items[1:], "keywords": keywords}
            return {"type": _name(name), **({"args": items} if items else {}), **keywords}
        case ast.BinOp(left=name, op=ast.MatMult(), right=schedule):
            return {"get_param": _name(ast.unparse(name)), "schedule": _description(schedule)}
        case ast.Name(id="inf" | "nan" as number):
            return float(number)
        case ast.Name() | ast.Attribute():
            return {"function": _name(ast.unparse(node))}
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_description(item) for item in items]
        case ast.Set(elts=items):
            return {"set": [_description(item) for item in items]}
        case ast.Dict(keys=keys, values=items):
            texts = [str(key.value) if isinstance(key, ast.Constant) else ast.unparse(key) for key in keys if key]
            return {"dict": dict(zip(texts, map(_description, items), strict=True))}
        case ast.UnaryOp(op=ast.USub(), operand=number):
            return -_description(number)
        case ast.Constant(value=value):
            return {"repr": "..."} if value is ... else value
    raise ValueError(f"text must consist of calls, names, numbers and containers, given {ast.unparse(node)}")


def _name(text: str) -> str:
    return re.sub(r"__(lambda|locals)__", r"<\1>", text)


def same_name(saved: str, own: str) -> bool:
    """Return whether two names are equal, apart from the module that earlier versions put before a name.

    >>> same_name("builtins.len", "len"), same_name("registry.half", "halved")
    (True, False)
    """
    saved = RENAMED.get(saved, saved)
    return saved == own or saved.endswith(f".{own}")


def same_text(saved: str, own: str) -> bool:
    """Return whether two texts that cannot be parsed are equal, apart from modules and addresses in them.

    >>> same_text("Own(rate=twice a day, function=rates.half)", "Own(rate=twice a day, function=half)")
    True
    """
    plain = (re.sub(ADDRESS, "", text).replace("[", "(").replace("]", ")").replace(",)", ")") for text in (own, saved))
    ours, theirs = map(_NAME.split, plain)
    return len(ours) == len(theirs) and all(
        one == other or (at % 2 == 1 and same_name(other, one))
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True))
    )
