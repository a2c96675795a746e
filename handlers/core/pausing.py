"""Pauses the schedulers of an engine, also while a learning rate finder of ignite runs."""

import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ignite.engine import Engine, Events

from lehr.engine.handler_inspection import unfiltered_handlers, unwrapped
from lehr.handlers.schedules.arguments import shown

_PAUSED: "weakref.WeakKeyDictionary[Engine, Removed]" = weakref.WeakKeyDictionary()


def is_paused(engine: Engine) -> bool:
    """Return whether the schedulers of an engine are paused."""
    return engine in _PAUSED


@contextmanager
def paused(*engines: Engine) -> Iterator[None]:
    """Pause the schedulers of an engine within a ``with`` statement.

    While they are paused, schedulers write, count and record nothing, and the handlers ``observe`` and ``next_phase``
    do nothing. This also holds for schedulers that you attached with ``add_event_handler``. Afterwards, the schedulers
    continue at the same event. If the engine has run in the meantime, load its state or begin a new run. While ignite's
    ``FastaiLRFinder`` runs, schedulers that were attached by ``attach`` pause by themselves.

    Args:
        engines: the engine, usually the trainer, and others, such as an evaluator.

    Raises:
        TypeError: an engine is not an ignite ``Engine``.

    Example:
        >>> import torch
        >>> from lehr.handlers import CosineDecayScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> trainer = Engine(lambda engine, batch: optimizer.step())
        >>> scheduler = CosineDecayScheduler(optimizer, "lr", duration=10)
        >>> handle = scheduler.attach(trainer)
        >>> with paused(trainer):
        ...     _ = trainer.run([0] * 5)
        >>> scheduler.event_index
        0
    """
    for engine in engines:
        if not isinstance(engine, Engine):
            raise TypeError(f"engine must be an ignite Engine, given {shown(engine)}")
    begun = [engine for engine in dict.fromkeys(engines) if not is_paused(engine)]
    for engine in begun:
        _PAUSED[engine] = Removed(engine)
    try:
        yield
    finally:
        for engine in begun:
            _PAUSED.pop(engine).put_back(engine)


def steps_aside(engine: Engine) -> bool:
    """Pause the schedulers of an engine if a finder of ignite runs the engine. Return whether they are paused."""
    if not is_paused(engine) and _has_finder(engine):
        _PAUSED[engine] = Removed(engine)
        engine.add_event_handler(Events.COMPLETED, _finder_ended)
        engine.add_event_handler(Events.EXCEPTION_RAISED, _finder_failed)
    return is_paused(engine)


def _has_finder(engine: Engine) -> bool:
    module = sys.modules.get("ignite.handlers.lr_finder")
    if module is None:
        return False
    handlers = unfiltered_handlers(engine, Events.STARTED)
    return any(isinstance(getattr(handler, "__self__", None), module.FastaiLRFinder) for handler in handlers)


def _finder_ended(engine: Engine) -> None:
    engine.remove_event_handler(_finder_ended, Events.COMPLETED)
    engine.remove_event_handler(_finder_failed, Events.EXCEPTION_RAISED)
    if not engine._event_handlers[Events.EXCEPTION_RAISED]:
        del engine._event_handlers[Events.EXCEPTION_RAISED]  # with an empty list, the engine would swallow errors
    if is_paused(engine):
        _PAUSED.pop(engine).put_back(engine)


def _finder_failed(engine: Engine, error: BaseException) -> None:
    _finder_ended(engine)
    if Events.EXCEPTION_RAISED not in engine._event_handlers:
        raise error  # as the engine does if EXCEPTION_RAISED has no handlers


class Removed:
    """The handlers of schedulers, removed from an engine.

    Args:
        engine: the engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._before = {event: list(handlers) for event, handlers in engine._event_handlers.items()}
        self._steps = getattr(engine.state, "optimizer_steps", None)
        for event, handlers in self._before.items():
            engine._event_handlers[event] = [one for one in handlers if not _is_of_scheduler(one[0])]

    def put_back(self, engine: Engine) -> None:
        """Put the handlers back in their order. Handlers that were added in the meantime come after them."""
        for event, before in self._before.items():
            now = engine._event_handlers.get(event, [])
            still = {id(one) for one in now}
            known = {id(one) for one in before}
            kept = [one for one in before if id(one) in still or _is_of_scheduler(one[0])]
            engine._event_handlers[event] = [*kept, *(one for one in now if id(one) not in known)]
        if self._steps is not None:
            engine.state.optimizer_steps = self._steps  # type: ignore[attr-defined]


def _is_of_scheduler(handler: Any) -> bool:
    """Return whether a handler calls a scheduler of lehr, directly or through a filter of ignite."""
    function, _ = unwrapped(handler)
    owner = type(getattr(function, "__self__", function))
    return hasattr(owner, "_stepping_optimizer") or hasattr(owner, "calls_scheduler")
