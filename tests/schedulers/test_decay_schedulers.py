"""Options of all decay schedulers: the present value of each group, windows, and durations in epochs."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from cases import for_each
from optimizers import make_optimizer, values_of

from lehr.handlers import (
    ChainedScheduler,
    ConstantScheduler,
    CosineDecayScheduler,
    CosineRestartScheduler,
    ExponentialScheduler,
    InverseSquareRootScheduler,
    InverseTimeDecayScheduler,
    LambdaScheduler,
    LinearScheduler,
    MetricScheduler,
    MultiplicativeScheduler,
    MultiStepScheduler,
    ParamScheduler,
    PiecewiseConstantScheduler,
    PolynomialScheduler,
    StepScheduler,
    WarmupStableDecayScheduler,
)
from lehr.handlers.core.saving import description_of_scheduler
from lehr.handlers.schedules import Constant, ExponentialDecay, Plateau

DECAYS = {
    "constant": (ConstantScheduler, {"value": 0.3}),
    "piecewise constant": (PiecewiseConstantScheduler, {"constants": [0.3, 0.2], "milestones": [3]}),
    "linear": (LinearScheduler, {"duration": 6, "end_value": 0.1}),
    "polynomial": (PolynomialScheduler, {"duration": 6, "end_value": 0.1, "power": 2.0}),
    "step": (StepScheduler, {"step_size": 2}),
    "multi-step": (MultiStepScheduler, {"milestones": [1, 4]}),
    "exponential": (ExponentialScheduler, {"gamma": 0.5}),
    "inverse square root": (InverseSquareRootScheduler, {"timescale": 2}),
    "inverse time": (InverseTimeDecayScheduler, {"decay_rate": 0.5, "decay_events": 2}),
    "cosine": (CosineDecayScheduler, {"duration": 6, "end_value": 0.1}),
    "restarts": (CosineRestartScheduler, {"T_0": 2, "T_mult": 2, "end_value": 0.1}),
    "warm-up": (
        WarmupStableDecayScheduler,
        {"num_warmup_events": 2, "num_stable_events": 1, "num_decay_events": 3, "end_value": 0.1},
    ),
    "lambda": (LambdaScheduler, {"factor_fn": math.cos}),
    "multiplicative": (MultiplicativeScheduler, {"factor_fn": math.cos}),
}
OWN = ("initial_value", "peak_value", "start_value")
each_decay = pytest.mark.parametrize(("cls", "kwargs"), DECAYS.values(), ids=DECAYS)


def made(cls, kwargs, groups=2, param_name="lr", **options):
    return cls(make_optimizer(groups), param_name, **kwargs, **options)


def scaled(kwargs, scale):
    """Return the arguments with all values multiplied by a scale."""
    names = ("value", "end_value")
    given = {key: value * scale if key in names else value for key, value in kwargs.items()}
    if "constants" in given:
        given["constants"] = [value * scale for value in given["constants"]]
    return given


@each_decay
def test_relative_values_are_multiples_of_each_groups_value(cls, kwargs):
    relative = made(cls, kwargs, 3, relative=True).simulate(12)
    for group, own in enumerate((0.5, 1.5, 2.5)):
        start = dict.fromkeys([name for name in OWN if name in cls.__init__.__annotations__][:1], own)
        absolute = made(cls, {**scaled(kwargs, own), **start}, 1).simulate(12)[:, 0]
        np.testing.assert_allclose(relative[:, group], absolute, rtol=1e-14)


@each_decay
def test_without_an_initial_value_each_group_begins_with_its_present_value(cls, kwargs):
    names = [name for name in OWN if name in cls.__init__.__annotations__]
    scheduler = made(cls, kwargs, 3)
    if names:
        given = made(cls, {**kwargs, names[0]: [0.5, 1.5, 2.5]}, 3)
        assert np.array_equal(scheduler.simulate(12), given.simulate(12))
        with pytest.raises(ValueError, match=f"{names[0]} must have 3 values, given"):
            made(cls, {**kwargs, names[0]: [0.5, 1.5]}, 3)
    assert values_of(scheduler.optimizer) == [0.5, 1.5, 2.5]  # the constructor writes nothing


@each_decay
def test_a_window_of_events(cls, kwargs):
    whole = made(cls, kwargs).simulate(20)
    windowed = made(cls, kwargs, begin=3, end=9, interval=2).simulate(20)
    assert windowed[:3].tolist() == [[0.5, 1.5]] * 3
    for event in range(3, 20):
        since = min(event, 8) - 3
        assert windowed[event].tolist() == whole[since - since % 2].tolist()


@each_decay
def test_any_parameter(cls, kwargs):
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=0.1, weight_decay=0.5, betas=(0.5, 0.99))
    for name in ("weight_decay", "betas[0]", "momentum"):
        scheduler = cls(optimizer, name, **kwargs)
        assert np.array_equal(scheduler.simulate(8), made(cls, kwargs, 1).simulate(8))
    scheduler(None)
    assert optimizer.param_groups[0]["betas"] == (scheduler.simulate(1)[0, 0], 0.99)


@each_decay
def test_durations_in_epochs(cls, kwargs):
    if cls in (LambdaScheduler, MultiplicativeScheduler):
        with pytest.raises(ValueError, match="epoch_length must be left out if a function is given"):
            made(cls, kwargs, epoch_length=5)
        return
    by_epoch = made(cls, kwargs, begin=1).simulate(12)
    by_iteration = made(cls, kwargs, begin=1, epoch_length=5).simulate(60)
    np.testing.assert_allclose(by_iteration[::5], by_epoch, rtol=1e-13)


def test_an_interval_of_one_epoch_is_one():
    held = made(ExponentialScheduler, {"gamma": 0.5}, 1, interval=1, epoch_length=4).simulate(9)[:, 0]
    assert held.tolist() == [0.5] * 4 + [0.25] * 4 + [0.125]


def test_staircases_keep_their_steps_in_epochs():
    for exponent, length in ((0.5, 2), (0.5, 8), (1.5, 10), (2.0, 7)):
        kwargs = {"decay_rate": 1.0, "exponent": exponent, "staircase": True}
        by_epoch = made(InverseTimeDecayScheduler, kwargs, 1).simulate(50)
        assert np.array_equal(
            made(InverseTimeDecayScheduler, kwargs, 1, epoch_length=length).simulate(50 * length)[::length], by_epoch
        )


@for_each(
    ("options", "error", "message"),
    [
        ({"begin": -1}, ValueError, "begin must be at least 0, given -1"),
        ({"begin": False}, TypeError, "begin must be a number, given False"),
        ({"begin": 2.5}, ValueError, "begin must be a whole number"),
        ({"begin": 3, "end": 3}, ValueError, "end must be more than begin=3, given 3"),
        ({"interval": 0}, ValueError, "interval must be a whole number of at least 1, given 0"),
        ({"interval": True}, TypeError, "interval must be a number"),
        ({"relative": 1}, TypeError, "relative must be True or False, given 1"),
        ({"epoch_length": 0}, ValueError, "epoch_length must be a whole number of at least 1"),
        ({"epoch_length": 7, "begin": 0.1}, ValueError, "begin must be a whole number of events, given 0.1 epochs"),
        ({"epoch_length": 10**15, "begin": 100}, ValueError, "begin must be at most .* epoch_length"),
        ({"relativ": True}, TypeError, "LinearScheduler has no argument 'relativ'.*did you mean 'relative'"),
        ({"end_value": [1.0, 2.0, 3.0]}, ValueError, "must have values for 2 param groups, given 3|same"),
    ],
)  # fmt: skip
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        LinearScheduler(make_optimizer(2), "lr", **{"duration": 3, "start_value": 1.0, **options})


def test_huge_durations_are_refused_by_name():
    for cls, name in (
        (LinearScheduler, "duration"),
        (StepScheduler, "step_size"),
        (InverseSquareRootScheduler, "timescale"),
    ):
        with pytest.raises(ValueError, match=f"{name} must be at most .* given 1e"):
            cls(make_optimizer(1), "lr", 1e308, epoch_length=100)


def test_simulate_values_needs_an_initial_value_or_an_optimizer():
    with pytest.raises(ValueError, match="initial_value needs an optimizer to read present values from, given no"):
        StepScheduler.simulate_values(3, param_name="lr", step_size=2)
    with pytest.raises(ValueError, match="relative needs an optimizer to read present values from"):
        ConstantScheduler.simulate_values(3, param_name="lr", value=2, relative=True)
    optimizer = make_optimizer(2)
    assert StepScheduler.simulate_values(2, optimizer=optimizer, param_name="lr", step_size=1, gamma=0.5) == [
        [0, 0.5, 1.5],
        [1, 0.25, 0.75],
    ]
    lines = StepScheduler.plot_values(5, optimizer=optimizer, param_name="lr", step_size=1)
    assert len(lines) == 2
    assert LinearScheduler.simulate_values(num_events=2, param_name="lr", duration=1, start_value=1.0) == [
        [0, 1.0],
        [1, 0.0],
    ]


@each_decay
def test_copies_and_pickles_are_equal(cls, kwargs):
    scheduler = made(cls, kwargs)
    for again in (copy.deepcopy(scheduler), pickle.loads(pickle.dumps(scheduler))):
        assert np.array_equal(again.simulate(9), scheduler.simulate(9))
        assert description_of_scheduler(again) == description_of_scheduler(scheduler)


def test_a_config_does_not_change_with_the_arguments_later():
    milestones = [1, 3]
    scheduler = MultiStepScheduler(make_optimizer(1), "lr", milestones, initial_value=1.0)
    milestones.append(4)
    assert scheduler.config()["milestones"] == [1, 3]


# Several schedulers multiplied by a ChainedScheduler.


def test_a_chain_multiplies_factors_of_the_initial_value():
    optimizer = make_optimizer(3)
    members = [
        LinearScheduler(optimizer, "lr", 4, start_value=0.1, end_value=1.0, relative=True),
        StepScheduler(optimizer, "lr", 3, gamma=0.5),
        ParamScheduler(optimizer, "lr", schedule=lambda event_index: [0.5, 1.5, 2.5]),
    ]
    values = ChainedScheduler(members).simulate(8)
    for event in range(8):
        factor = min(0.1 + 0.9 * event / 4, 1) * 0.5 ** (event // 3)
        np.testing.assert_allclose(values[event], [0.5 * factor, 1.5 * factor, 2.5 * factor], rtol=1e-14)
    halved = ChainedScheduler(members, initial_value=[1.0, 1.0, 1.0]).simulate(1)
    np.testing.assert_allclose(halved, [[0.05 * 0.5 * 0.5, 0.15 * 1.5 * 1.5, 0.25 * 2.5 * 2.5]], rtol=1e-14)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"schedulers": []}, ValueError, "schedulers must be one or more, given"),
        ({"schedulers": 3}, TypeError, "schedulers must be a list or tuple"),
        ({"schedulers": [3]}, TypeError, r"schedulers\[0\] must be a ParamScheduler"),
        ({"initial_value": 0.0}, ValueError, "initial_value must not be 0"),
        ({"initial_value": [1.0]}, ValueError, "initial_value must have 2 values"),
    ],
)
def test_bad_chains(kwargs, error, message):
    optimizer = make_optimizer(2)
    member = StepScheduler(optimizer, "lr", 3)
    with pytest.raises(error, match=message):
        ChainedScheduler(**{"schedulers": [member], **kwargs})
    with pytest.raises(ValueError, match="schedulers must all have the same param_name"):
        ChainedScheduler([member, StepScheduler(optimizer, "momentum", 3)])


# Schedulers that a metric drives.


def test_a_metric_scheduler_needs_a_schedule_that_a_metric_drives():
    with pytest.raises(ValueError, match="schedule must depend on a metric"):
        MetricScheduler(make_optimizer(1), "lr", "loss", Constant(0.5))
    with pytest.raises(ValueError, match="metric_name must be the name of a metric, given ''"):
        MetricScheduler(make_optimizer(1), "lr", "", Plateau(initial_value=0.5))


def test_the_constructor_refuses_values_that_would_not_be_numbers():
    with pytest.raises(
        ValueError, match="gamma must be at least 0 if staircase is False and decay_events is not 1, given -0.5"
    ):
        ExponentialDecay(1.0, gamma=-0.5, decay_events=2)
    assert ExponentialDecay(1.0, gamma=-0.5)([0, 1, 2]).tolist() == [1.0, -0.5, 0.25]


def test_an_initial_value_too_small_to_divide_by_is_refused():
    optimizer = make_optimizer()
    members = [ExponentialScheduler(optimizer, "lr", gamma=0.5, initial_value=1.0) for _ in range(2)]
    with pytest.raises(ValueError, match="initial_value must be so far from 0 .* given 2.2e-311"):
        ChainedScheduler(members, initial_value=2.2e-311)
