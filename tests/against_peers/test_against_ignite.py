"""Equality with the installed ignite, over drawn arguments and far beyond the first cycle."""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine, Events
from ignite.handlers import param_scheduler as peer
from optimizers import make_optimizer, make_trainer, values_of
from strategies import cyclical, piecewise

import lehr.handlers as own

EVENTS = 200


def run(scheduler, events):
    """What a scheduler writes in an engine's run, event by event."""
    trainer, written = make_trainer(), []
    trainer.add_event_handler(Events.ITERATION_STARTED, scheduler)
    trainer.add_event_handler(Events.ITERATION_STARTED, lambda: written.append(values_of(scheduler.optimizer)))
    trainer.run([0] * (events // 2), max_epochs=2)
    return np.array(written)


def assert_same_run(theirs, ours, events=EVENTS):
    """Compare two schedulers of two equal optimizers, to 1e-12 of the largest value."""
    expected = run(theirs, events)
    np.testing.assert_allclose(run(ours, events), expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@given(kwargs=cyclical())
def test_cosine_annealing(kwargs):
    assert_same_run(
        peer.CosineAnnealingScheduler(make_optimizer(3), "lr", **kwargs),
        own.CosineAnnealingScheduler(make_optimizer(3), "lr", **kwargs),
    )


@given(kwargs=cyclical(warmup=False))
def test_linear_two_ways(kwargs):
    assert_same_run(
        peer.LinearCyclicalScheduler(make_optimizer(), "lr", **kwargs),
        own.LinearCyclicalScheduler(make_optimizer(), "lr", **kwargs),
    )


@given(kwargs=cyclical(), index=st.integers(0, 2))
def test_linear_one_way_in_one_group(kwargs, index):
    assert_same_run(
        peer.LinearCyclicalScheduler(make_optimizer(3), "lr", **kwargs, monotonic=True, param_group_index=index),
        own.LinearCyclicalScheduler(make_optimizer(3), "lr", **kwargs, monotonic=True, param_group_index=index),
    )


@given(points=piecewise())
def test_piecewise_linear(points):
    assert_same_run(
        peer.PiecewiseLinear(make_optimizer(), "lr", points),
        own.PiecewiseLinear(make_optimizer(), "lr", points),
    )


@given(
    kwargs=st.lists(cyclical(), min_size=2, max_size=4),
    points=piecewise(),
    durations=st.lists(st.integers(1, 60), min_size=4, max_size=4),
)
def test_concatenation(kwargs, points, durations):
    def concatenation(library, optimizer):
        schedulers = [
            library.PiecewiseLinear(optimizer, "lr", points),
            *(library.CosineAnnealingScheduler(optimizer, "lr", **given) for given in kwargs),
        ]
        return library.ConcatScheduler(schedulers, durations[: len(kwargs)])

    assert_same_run(concatenation(peer, make_optimizer(2)), concatenation(own, make_optimizer(2)))


@pytest.mark.parametrize("name", ["CosineAnnealingScheduler", "LinearCyclicalScheduler", "PiecewiseLinear"])
@given(kwargs=cyclical(warmup=False), points=piecewise())
def test_simulate_values(name, kwargs, points):
    kwargs = {"milestones_values": points} if name == "PiecewiseLinear" else kwargs
    theirs = getattr(peer, name).simulate_values(num_events=90, param_name="lr", **kwargs)
    ours = getattr(own, name).simulate_values(num_events=90, param_name="lr", **kwargs)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * np.abs(np.array(theirs)[:, 1]).max())
    assert [[type(item) for item in row] for row in ours] == [[int, float]] * 90


def test_history_reads_the_same():
    histories = []
    for library in (peer, own):
        optimizer, trainer = make_optimizer(2, momentum=0.9), make_trainer()
        lr = library.LinearCyclicalScheduler(optimizer, "lr", 0.5, 1.0, 4, save_history=True)
        momentum = library.PiecewiseLinear(optimizer, "momentum", [(0, 0.5), (4, 1.0)], True, 1)
        trainer.add_event_handler(Events.ITERATION_STARTED, lr)
        trainer.add_event_handler(Events.EPOCH_STARTED, momentum, name="m")
        trainer.run([0] * 3, max_epochs=3)
        histories.append(trainer.state.param_history)
    theirs, ours = histories
    assert set(ours) == set(theirs) == {"lr", "m"}
    assert all(ours[name] == theirs[name] for name in theirs)
    assert [row[0] for row in ours["lr"]] == [row[0] for row in theirs["lr"]]


@given(kwargs=cyclical())
def test_a_users_own_cycle_moves_over(kwargs):
    def define(library):
        class Own(library.CyclicalScheduler):
            def get_param(self):
                progress = (self.event_index / self.cycle_size) ** 2
                return (
                    self.start_value
                    + (self.end_value - self.start_value) * progress
                    + self.cycle / 8
                    + self.start_value
                )

        return Own

    assert_same_run(define(peer)(make_optimizer(2), "lr", **kwargs), define(own)(make_optimizer(2), "lr", **kwargs))


@given(kwargs=cyclical())
def test_a_users_change_to_a_cosine_moves_over(kwargs):
    def define(library):
        class Own(library.CosineAnnealingScheduler):
            def get_param(self):
                return super().get_param() / (1 + self.event_index)

        return Own

    assert_same_run(define(peer)(make_optimizer(2), "lr", **kwargs), define(own)(make_optimizer(2), "lr", **kwargs))


def test_a_users_subclass_moves_over():
    def define(library):
        class Own(library.ParamScheduler):
            def get_param(self):
                return 0.1 / (1 + self.event_index)

        return Own

    assert_same_run(define(peer)(make_optimizer(2), "lr"), define(own)(make_optimizer(2), "lr"))


def test_both_on_one_engine():
    """A history that an ignite scheduler began goes on, and the other way round."""
    for first, second in ((peer, own), (own, peer)):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
        trainer = Engine(lambda engine, batch: None)
        first.LinearCyclicalScheduler(optimizer, "lr", 0.0, 1.0, 4, save_history=True).attach(trainer)
        second.LinearCyclicalScheduler(optimizer, "momentum", 0.0, 1.0, 4, save_history=True).attach(trainer)
        trainer.run([0] * 4, max_epochs=1)
        expected = [[0.0], [0.5], [1.0], [0.5]]
        assert trainer.state.param_history == {"lr": expected, "momentum": expected}


def test_deviations():
    """Where we differ, on purpose, and what ignite does there."""
    theirs = peer.CosineAnnealingScheduler(make_optimizer(), "lr", 1.0, 0.1, 4, cycle_mult=0.5)
    with pytest.raises(ZeroDivisionError):
        run(theirs, 20)
    with pytest.raises(ValueError, match="cycle_mult must be at least 1"):
        own.CosineAnnealingScheduler(make_optimizer(), "lr", 1.0, 0.1, 4, cycle_mult=0.5)

    theirs = peer.CosineAnnealingScheduler(make_optimizer(), "lr", 1.0, 0.1, 4)
    ours = own.CosineAnnealingScheduler(make_optimizer(), "lr", 1.0, 0.1, 4)
    for _ in range(6):
        theirs(None)
        ours(None)
    assert (theirs.event_index, ours.event_index) == (2, 6)

    optimizer = make_optimizer()
    theirs = peer.PiecewiseLinear(optimizer, "lr", [(0, 1.0), (4, 0.5), (8, 0.25)])
    ours = own.PiecewiseLinear(make_optimizer(), "lr", [(0, 1.0), (4, 0.5), (8, 0.25)])
    for _ in range(8):
        theirs(None)
    theirs.event_index = 0
    with pytest.raises(IndexError):
        theirs(None)
    ours.seek(8)
    ours.event_index = 0
    assert ours.get_param() == 1.0

    peer.LinearCyclicalScheduler(optimizer, "learning_rate", 0.0, 1.0, 4)(None)
    assert optimizer.param_groups[0]["learning_rate"] == 0.0  # a new key, which no optimizer reads
    with pytest.raises(ValueError, match="param_name must be one of"):
        own.LinearCyclicalScheduler(make_optimizer(), "learning_rate", 0.0, 1.0, 4)


@pytest.mark.parametrize(
    "name", ["LinearCyclicalScheduler", "CosineAnnealingScheduler", "PiecewiseLinear", "ConcatScheduler"]
)
def test_arguments_have_the_same_names_order_and_defaults(name):
    ours = inspect.signature(getattr(own, name)).parameters
    theirs = inspect.signature(getattr(peer, name)).parameters
    if name == "LinearCyclicalScheduler":  # ignite's own takes *args and **kwargs, for this one
        theirs = inspect.signature(peer.CyclicalScheduler).parameters
        assert (ours["monotonic"].default, ours["monotonic"].kind) == (False, inspect.Parameter.KEYWORD_ONLY)
    expected = [(key, parameter.default) for key, parameter in theirs.items()]
    added = ("monotonic", "relative", "run")  # lehr's own arguments, after those of ignite
    assert [(key, parameter.default) for key, parameter in ours.items() if key not in added] == expected
    assert all(ours[key].kind is inspect.Parameter.KEYWORD_ONLY for key in added if key in ours)


def test_what_a_cycle_shows_to_get_param_is_gone_afterwards():
    class Own(own.CyclicalScheduler):
        def get_param(self):
            return self.start_value / self.cycle_size

    scheduler = Own(make_optimizer(), "lr", 0.5, 0.1, 4)
    for _ in range(6):
        scheduler(None)
    assert not any(hasattr(scheduler, name) for name in ("cycle_size", "start_value", "cycle"))
    assert scheduler.event_index == 6


def test_a_concatenation_shows_its_members():
    optimizer = make_optimizer()
    members = [own.PiecewiseLinear(optimizer, "lr", [(0, value)]) for value in (0.1, 0.2)]
    scheduler = own.ConcatScheduler(members, [3])
    assert (list(scheduler.schedulers), list(scheduler.durations)) == (members, [3])
