"""Plateaus: equality with the installed ignite, and with torch where that drops an argument."""

from types import SimpleNamespace

from against_ignite import peer
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer, values_of
from strategies import metrics, plateaus, values
from torch.optim import lr_scheduler

import lehr.handlers as own

one_group = st.none() | st.integers(0, 2)


def run_plateau(library, metrics, index, **kwargs):
    """The learning rates after each evaluation, and the trainer's history."""
    optimizer, trainer, evaluator, rows = make_optimizer(3), make_trainer(), make_trainer(), []
    scheduler = library.ReduceLROnPlateauScheduler(optimizer, "loss", trainer, True, index, **kwargs)
    evaluator.add_event_handler(Events.COMPLETED, scheduler)

    @trainer.on(Events.EPOCH_COMPLETED)
    def evaluate():
        evaluator.state.metrics["loss"] = metrics[trainer.state.epoch - 1]
        evaluator.run([0])
        rows.append(values_of(optimizer))

    trainer.run([0], max_epochs=len(metrics))
    return rows, list(trainer.state.param_history["lr"])


@given(kwargs=plateaus, metrics=metrics, index=one_group)
def test_plateaus_reduce_and_record_the_same(kwargs, metrics, index):
    assert run_plateau(own, metrics, index, **kwargs) == run_plateau(peer, metrics, index, **kwargs)


@given(kwargs=plateaus, metrics=metrics, init_lr=values)
def test_plateaus_are_simulated_the_same(kwargs, metrics, init_lr):
    theirs, ours = (
        library.ReduceLROnPlateauScheduler.simulate_values(len(metrics), metrics, init_lr, **kwargs)
        for library in (peer, own)
    )
    assert ours == theirs


@given(kwargs=plateaus, metrics=metrics, index=one_group, floors=st.lists(st.floats(0.0, 2.5), min_size=3, max_size=3))
def test_plateaus_with_a_least_value_reduce_as_torch_does(kwargs, metrics, index, floors):
    """The floor is what ignite leaves out."""
    optimizer, rows = make_optimizer(3), []
    reduced = SimpleNamespace(param_groups=optimizer.param_groups[slice(index, None if index is None else index + 1)])
    minimum = floors if index is None else floors[index]
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, min_lr=minimum, **kwargs)
    theirs.optimizer, theirs.min_lrs = reduced, theirs.min_lrs[: len(reduced.param_groups)]
    for metric in metrics:
        theirs.step(metric)
        rows.append(values_of(optimizer))
    written, history = run_plateau(own, metrics, index, min_lr=minimum, **kwargs)
    assert written == rows
    assert history == [row if index is None else [row[index]] for row in rows]
