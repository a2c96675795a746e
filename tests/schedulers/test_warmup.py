"""create_lr_scheduler_with_warmup; test_wrapped_against_ignite.py compares it with ignite where ignite is right."""

import math

import numpy as np
import pytest
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st
from optimizers import make_optimizer, make_trainer, values_of
from rigs import optimizer_of
from strategies import cyclical
from torch.optim import lr_scheduler as peer
from torch_schedulers import TORCH

from lehr.handlers import (
    CosineAnnealingScheduler,
    LinearCyclicalScheduler,
    OneCycleScheduler,
    PiecewiseLinear,
    create_lr_scheduler_with_warmup,
)


def values_of_torch(kind, groups, steps):
    """Return the learning rates with which torch's own loop trains."""
    optimizer = optimizer_of(groups, tensor=False)
    scheduler, rows = TORCH[kind](optimizer), []
    for _ in range(steps):
        rows.append(values_of(optimizer))
        optimizer.step()
        scheduler.step()
    return rows


@pytest.mark.parametrize("groups", [1, 3])
@for_each("kind", TORCH)
@pytest.mark.parametrize("duration", [2, 5])
def test_it_ends_where_torchs_own_loop_begins(kind, groups, duration):
    expected = values_of_torch(kind, groups, 20)
    optimizer = optimizer_of(groups, tensor=False)
    scheduler = create_lr_scheduler_with_warmup(TORCH[kind](optimizer), 0.0, duration)
    table = scheduler.simulate(duration - 1 + 20)
    peaks = np.array(expected[0])
    np.testing.assert_allclose(table[:duration], np.linspace(0, peaks, duration), rtol=0, atol=1e-15)
    assert table[duration - 1 :].tolist() == expected


@for_each("kind", TORCH)
@pytest.mark.parametrize("end_value", [0.7, [0.1, 0.5, 0.9]])
def test_another_end_value_does_not_change_the_values_after_the_warm_up(kind, end_value):
    expected = values_of_torch(kind, 3, 20)
    optimizer = optimizer_of(3, tensor=False)
    scheduler = create_lr_scheduler_with_warmup(TORCH[kind](optimizer), 0.05, 4, end_value)
    written = []
    for _ in range(24):
        scheduler(None)
        written.append(values_of(optimizer))
    peaks = np.broadcast_to(end_value, 3)
    np.testing.assert_allclose(written[:4], np.linspace(np.full(3, 0.05), peaks, 4), rtol=0, atol=1e-15)
    assert written[4:] == expected


@given(kwargs=cyclical(), start=st.floats(0.0, 1.0), duration=st.integers(2, 12), same_peak=st.booleans())
def test_our_own_schedulers_follow_from_their_first_value(kwargs, start, duration, same_peak):
    optimizer = make_optimizer(2)
    main = CosineAnnealingScheduler(optimizer, "lr", **kwargs)
    end = kwargs["start_value"] if same_peak else kwargs["start_value"] + 0.5
    table = create_lr_scheduler_with_warmup(main, start, duration, end).simulate(duration + 30)
    expected = main.simulate(40).tolist()
    np.testing.assert_allclose(table[:duration, 0], np.linspace(start, end, duration), rtol=1e-12)
    first = duration - 1 if same_peak else duration
    assert table[first:].tolist() == expected[: len(table) - first]


def test_groups_with_different_end_values_warm_up_in_the_same_events():
    optimizer = make_optimizer(2)
    main = OneCycleScheduler(optimizer, "lr", [1.0, 2.0], total_steps=10, div_factor=2)
    table = create_lr_scheduler_with_warmup(main, 0.0, 3, [0.5, 3.0]).simulate(5)
    assert table[:4].tolist() == [[0.0, 0.0], [0.25, 1.5], [0.5, 3.0], [0.5, 1.0]]
    assert table[4].tolist() == main.simulate(2)[1].tolist()


def test_a_scheduler_of_one_group_has_a_warm_up_of_that_group():
    optimizer = make_optimizer(3)
    main = LinearCyclicalScheduler(optimizer, "lr", 1.0, 0.0, 8, param_group_index=1)
    scheduler = create_lr_scheduler_with_warmup(main, 0.0, 3)
    for _ in range(3):
        scheduler(None)
    assert values_of(optimizer) == [0.5, 1.5, 2.5]
    scheduler(None)
    assert values_of(optimizer) == [0.5, 1.0, 2.5]


def test_the_constructor_writes_nothing():
    optimizer, values = make_optimizer(2), [None] * 6
    main = PiecewiseLinear(optimizer, "lr", [(0, 0.3), (3, 0.0)])
    scheduler = create_lr_scheduler_with_warmup(main, 0.0, 3, 0.3, True, values)
    assert values_of(optimizer) == [0.5, 1.5]
    assert scheduler.event_index == main.event_index == 0
    assert values == [[event, *row] for event, row in enumerate(scheduler.simulate(6).tolist())]
    trainer = make_trainer()
    scheduler.attach(trainer)
    trainer.run([0] * 6)
    assert trainer.state.param_history["lr"] == scheduler.simulate(6).tolist()


def test_a_plateau_of_torch_follows_a_warm_up():
    optimizer = make_optimizer(1, lr=1.0)
    scheduler = create_lr_scheduler_with_warmup(peer.ReduceLROnPlateau(optimizer, factor=0.5, patience=0), 0.0, 3)
    plateau, trainer, written = scheduler.schedulers[1], make_trainer(), []
    for metric in (1.0, 1.0, 0.5, 0.5):
        scheduler(None)
        written += values_of(optimizer)
        if scheduler.event_index > 2:
            trainer.state.metrics = {"loss": metric}
            plateau.observe(trainer)
    assert written == [0.0, 0.5, 1.0, 1.0]
    scheduler(None)
    assert values_of(optimizer) == [0.5]


@for_each(
    ("change", "error", "match"),
    [
        ({"lr_scheduler": "cosine"}, TypeError, "lr_scheduler must be a ParamScheduler or a torch scheduler, given"),
        ({"warmup_duration": 3.0}, TypeError, "warmup_duration must be an int, given 3.0"),
        ({"warmup_duration": True}, TypeError, "warmup_duration must be an int, given True"),
        ({"warmup_duration": "3"}, TypeError, "warmup_duration must be an int, given '3'"),
        ({"warmup_duration": 1}, ValueError, "warmup_duration must be a whole number of at least 2, given 1"),
        ({"warmup_start_value": "0"}, TypeError, "warmup_start_value must be a number, given '0'"),
        ({"warmup_start_value": math.nan}, ValueError, "must be finite, given nan"),
        ({"warmup_end_value": "1"}, TypeError, "warmup_end_value must be a number, given '1'"),
        ({"warmup_end_value": [1.0]}, ValueError, r"warmup_end_value must have 2 values, given \[1.0\]"),
        ({"warmup_start_value": [1.0] * 3}, ValueError, "warmup_start_value must have 2 values, given"),
        ({"output_simulated_values": 100}, TypeError, r"output_simulated_values must be a list such as .*, given 100"),
        ({"save_history": 1}, TypeError, "save_history must be True or False, given 1"),
    ],
)
def test_wrong_arguments_are_refused_by_name(change, error, match):
    optimizer = make_optimizer(2)
    main = CosineAnnealingScheduler(optimizer, "lr", 0.3, 0.1, 10)
    with pytest.raises(error, match=match):
        create_lr_scheduler_with_warmup(
            **{"lr_scheduler": main, "warmup_start_value": 0.0, "warmup_duration": 3, **change}
        )
    assert values_of(optimizer) == [0.5, 1.5]


def test_a_scheduler_of_another_parameter_is_refused():
    main = CosineAnnealingScheduler(make_optimizer(2), "momentum", 0.3, 0.1, 10)
    with pytest.raises(ValueError, match="schedulers must all have the same param_name"):
        create_lr_scheduler_with_warmup(main, 0.0, 3)
