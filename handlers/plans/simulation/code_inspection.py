"""What handlers and training steps refer to, read from their code, since they may not be called to find out."""

import dis
from collections.abc import Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any

from ignite.engine import Engine

from lehr.engine.event_handlers import closure_of, handlers_of
from lehr.handlers.core.inspection import training_step_of


def engines_run_by(handler: Any, given: tuple[Any, ...]) -> list[Engine]:
    """The engines whose ``run`` a handler calls, as far as its code refers to them; calling it would tell for sure."""
    function = handler
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType) or "run" not in _names_in(function.__code__):
        return []
    found = [thing for thing in (*given, *referred_to(handler)) if isinstance(thing, Engine)]
    return list(dict.fromkeys(found))


def referred_to(handler: Any) -> list[Any]:
    """What a function, a method or a partial one refers to: arguments, closures, globals, attributes of its object."""
    things: list[Any] = []
    while isinstance(handler, partial):
        things += [*handler.args, *handler.keywords.values()]
        handler = handler.func
    if isinstance(handler, MethodType):
        owned = getattr(handler.__self__, "__dict__", {})
        handler, owner = handler.__func__, handler.__self__
        named = set(_names_in(handler.__code__)) if isinstance(handler, FunctionType) else set()
        things += [owner, *(owned[name] for name in owned if name in named)]
    if isinstance(handler, FunctionType):
        found, names = handler.__globals__, _names_in(handler.__code__)
        things += [*closure_of(handler).values(), *(found[name] for name in names if name in found)]
    return things


def referred_to_by(engine: Engine) -> list[Any]:
    """What the training step and the handlers of an engine refer to."""
    return [thing for function in _functions_of(engine) for thing in referred_to(function)]


def may_write_metrics(engine: Engine) -> bool:
    """Whether the training step or a handler of an engine may put a metric somewhere, as far as their names show."""
    return any(map(_may_write_metrics, _functions_of(engine)))


def _functions_of(engine: Engine) -> list[Any]:
    return [training_step_of(engine), *(registered.handler for registered in handlers_of(engine))]


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def accumulation_of(engine: Engine) -> int:
    """How many iterations make a step of the optimizer, if ignite's ``create_supervised_trainer`` was told; else 1."""
    step = training_step_of(engine)
    kept = closure_of(step) if isinstance(step, FunctionType) else {}
    given = kept.get("gradient_accumulation_steps", 1)
    return given if isinstance(given, int) else 1


def _may_write_metrics(function: Any) -> bool:
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType):
        function = type(function).__call__
    if not isinstance(function, FunctionType):
        return True  # nobody can know
    names = set(_names_in(function.__code__))
    stores = any(instruction.opname == "STORE_SUBSCR" for instruction in dis.get_instructions(function))
    return "metrics" in names and (stores or not names.isdisjoint({"update", "setdefault", "setattr"}))
