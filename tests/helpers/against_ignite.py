"""Comparing with the installed ignite: the same in real engines, to 1e-12 of the largest value."""

from types import SimpleNamespace

import numpy as np
from hypothesis import settings
from ignite.engine import Engine, Events
from ignite.handlers import param_scheduler, state_param_scheduler
from optimizers import values_of

PUBLIC = {
    name: thing
    for module in (param_scheduler, state_param_scheduler)
    for name, thing in vars(module).items()
    if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
}
peer = SimpleNamespace(**PUBLIC)
EVENTS = 40
few = settings(max_examples=max(2, settings().max_examples // 8))  # for what takes an engine's run of every kind


def assert_close(ours, theirs):
    """To 1e-12 of the largest value."""
    expected = np.array(theirs, dtype=float)
    np.testing.assert_allclose(np.array(ours, dtype=float), expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def assert_same_items(ours, theirs):
    """Close values of the same types, in the same places."""
    assert [type(item) for item in ours] == [type(item) for item in theirs]
    assert_close([item for item in ours if item is not None], [item for item in theirs if item is not None])


def run(scheduler, optimizer, *names, event=Events.ITERATION_STARTED, stepped=False):
    """What each event leaves under the names in all groups, and the history, if there is one."""
    trainer, rows = Engine(lambda engine, batch: optimizer.step() if stepped else None), []
    trainer.add_event_handler(event, scheduler)
    trainer.add_event_handler(event, lambda: rows.append([values_of(optimizer, name) for name in names or ("lr",)]))
    trainer.run([0] * (EVENTS // 2), max_epochs=2)
    return np.array(rows), getattr(trainer.state, "param_history", None)
