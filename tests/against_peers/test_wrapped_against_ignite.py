"""Wrapped torch schedulers and warm-ups: equality with torch's own loop, and with ignite where that is right."""

import warnings

import numpy as np
import pytest
from against_ignite import EVENTS, assert_close, few, peer, run
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer, values_of
from rigs import optimizer_of
from strategies import cyclic, cyclical, metrics, piecewise, plateaus, values
from torch.optim import lr_scheduler

import lehr.handlers as own

# torch's schedulers

rates, fractions = st.floats(0.3, 1.2), st.floats(0.0, 1.0)
functions = rates.map(lambda rate: lambda epoch: rate ** (epoch % 11))
TORCH = {
    "LambdaLR": {"lr_lambda": functions},
    "MultiplicativeLR": {"lr_lambda": functions},
    "StepLR": {"step_size": st.integers(1, 9), "gamma": rates},
    "MultiStepLR": {"milestones": st.lists(st.integers(1, 45), max_size=6), "gamma": rates},
    "ConstantLR": {"factor": st.floats(0.1, 1.0), "total_iters": st.integers(0, 45)},
    "LinearLR": {"start_factor": st.floats(0.1, 1.0), "end_factor": fractions, "total_iters": st.integers(1, 45)},
    "ExponentialLR": {"gamma": rates},
    "PolynomialLR": {"total_iters": st.integers(1, 45), "power": st.floats(0.5, 3.0)},
    "CosineAnnealingLR": {"T_max": st.integers(1, 45), "eta_min": fractions},
    "CosineAnnealingWarmRestarts": {"T_0": st.integers(1, 20), "T_mult": st.integers(1, 3), "eta_min": fractions},
    "OneCycleLR": {
        "max_lr": values,
        "total_steps": st.integers(EVENTS + 1, 60),
        "pct_start": st.floats(0.03, 1.0),
        "anneal_strategy": st.sampled_from(["cos", "linear"]),
        "three_phase": st.booleans(),
    },
}
TORCH = {name: st.fixed_dictionaries(arguments) for name, arguments in TORCH.items()}
TORCH["CyclicLR"] = st.builds(
    lambda more, low, high: {"base_lr": low, "max_lr": high, **more}, cyclic(), values, values
)
PARTS = [name for name in TORCH if name not in ("OneCycleLR", "CyclicLR")]
RIGHT_IN_IGNITE = ["LambdaLR", "StepLR", "MultiStepLR", "OneCycleLR", "CyclicLR"]


@st.composite
def of_torch(draw, name):
    """What makes a torch scheduler for an optimizer; that of several is of several drawn ones."""
    if name in TORCH:
        kwargs = draw(TORCH[name])
        return lambda optimizer: getattr(lr_scheduler, name)(optimizer, **kwargs)
    parts = [draw(of_torch(part)) for part in draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3))]
    if name == "ChainedScheduler":
        return lambda optimizer: lr_scheduler.ChainedScheduler([part(optimizer) for part in parts], optimizer)
    milestones = sorted(draw(st.sets(st.integers(1, 45), min_size=len(parts) - 1, max_size=len(parts) - 1)))
    return lambda optimizer: lr_scheduler.SequentialLR(optimizer, [part(optimizer) for part in parts], milestones)


def torchs_own_loop(make, optimizer):
    """What is in force at each step: the optimizer steps, and then the scheduler."""
    scheduler, rows = make(optimizer), []
    for _ in range(EVENTS):
        rows.append([values_of(optimizer, "lr"), values_of(optimizer, "momentum")])
        optimizer.step()
        scheduler.step()
    return np.array(rows)


@pytest.mark.parametrize("name", [*TORCH, "SequentialLR", "ChainedScheduler"])
@few
@given(data=st.data(), groups=st.sampled_from([1, 3]), tensor=st.booleans())
def test_wrapped_torch_schedulers_leave_what_torchs_own_loop_has(name, data, groups, tensor):
    make = data.draw(of_torch(name))
    expected = torchs_own_loop(make, optimizer_of(groups, tensor))
    optimizer = optimizer_of(groups, tensor)
    scheduler = own.LRScheduler(make(optimizer), save_history=True)
    simulated = scheduler.simulate(EVENTS)
    written, history = run(scheduler, optimizer, "lr", "momentum", stepped=True)
    assert (written == expected).all()
    assert history == {"lr": expected[:, 0].tolist()}
    assert (simulated == expected[:, 0]).all()


@pytest.mark.parametrize("name", RIGHT_IN_IGNITE)
@few
@given(data=st.data(), groups=st.sampled_from([1, 3]), legacy=st.booleans())
def test_wrapped_torch_schedulers_leave_and_record_what_ignites_do(name, data, groups, legacy):
    make = data.draw(of_torch(name))
    results = []
    for library in (peer, own):
        optimizer = optimizer_of(groups, tensor=False)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            scheduler = library.LRScheduler(make(optimizer), True, legacy)
        event = Events.ITERATION_COMPLETED if legacy else Events.ITERATION_STARTED
        written, history = run(scheduler, optimizer, "lr", "momentum", event=event, stepped=True)
        simulated = library.LRScheduler.simulate_values(EVENTS, make(optimizer_of(groups, tensor=False)))
        results.append((written, history["lr"], simulated, [warning.category for warning in caught]))
    for ours, theirs in zip(results[1][:3], results[0][:3], strict=True):
        assert_close(ours, theirs)
    assert results[1][3] == results[0][3] == [UserWarning] * legacy


@given(kwargs=plateaus, metrics=metrics, tensor=st.booleans())
def test_a_wrapped_plateau_leaves_what_torchs_own_loop_has(kwargs, metrics, tensor):
    optimizer, expected = optimizer_of(3, tensor), []
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, **kwargs)
    for metric in metrics:
        expected.append([values_of(optimizer)])
        theirs.step(metric)
    trainer, optimizer, rows = make_trainer(), optimizer_of(3, tensor), []
    own.LRScheduler(lr_scheduler.ReduceLROnPlateau(optimizer, **kwargs)).attach(trainer)
    trainer.add_event_handler(Events.ITERATION_STARTED, lambda: rows.append([values_of(optimizer)]))
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda: trainer.state.metrics.update(loss=metrics[len(rows) - 1])
    )
    trainer.run([0] * len(metrics))
    assert rows == expected


# Warm-ups

durations = st.integers(2, 20)


def warmed_up(library, make, optimizer, start, duration, end):
    """What a warm-up before a scheduler leaves, records and simulates."""
    main, simulated = make(library, optimizer), [None] * EVENTS
    end = main.get_param() if end == "first" else end
    scheduler = library.create_lr_scheduler_with_warmup(main, start, duration, end, True, simulated)
    written, history = run(scheduler, optimizer)
    return written[:, 0], history["lr"], simulated


@pytest.mark.parametrize("name", ["StepLR", "LambdaLR"])
@few
@given(data=st.data(), start=fractions, duration=durations, end=st.none() | values)
def test_warmups_before_torch_schedulers_of_one_group_are_the_same(name, data, start, duration, end):
    make = data.draw(of_torch(name))
    theirs, ours = (
        warmed_up(library, lambda _, optimizer: make(optimizer), make_optimizer(), start, duration, end)
        for library in (peer, own)
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert_close(mine, other)


@few
@given(
    kind=st.sampled_from(["CosineAnnealingScheduler", "LinearCyclicalScheduler", "PiecewiseLinear"]),
    kwargs=cyclical(warmup=False),
    points=piecewise(),
    start=fractions,
    duration=durations,
    end=st.none() | st.just("first") | values,
    lr=st.none() | values,
    groups=st.sampled_from([1, 3]),
)
def test_warmups_before_schedulers_of_the_library_are_the_same(kind, kwargs, points, start, duration, end, lr, groups):
    arguments = {"milestones_values": points} if kind == "PiecewiseLinear" else kwargs
    lr = kwargs["start_value"] if lr is None else lr  # what a cosine begins with too

    def make(library, optimizer):
        return getattr(library, kind)(optimizer, "lr", **arguments)

    theirs, ours = (
        warmed_up(library, make, make_optimizer(groups, lr=lr), start, duration, end) for library in (peer, own)
    )
    assert_close(ours[0], theirs[0])
    assert_close(ours[2], theirs[2])
    if groups == 1:  # ignite has one list a group in the history of the warm-up
        assert_close(ours[1], theirs[1])


@pytest.mark.parametrize("name", [*TORCH, "SequentialLR", "ChainedScheduler"])
@few
@given(data=st.data(), start=fractions, duration=durations, end=st.none() | values)
def test_warmups_of_several_groups_end_in_torchs_own_values(name, data, start, duration, end):
    make = data.draw(of_torch(name))
    after = torchs_own_loop(make, optimizer_of(3, tensor=False))[:, 0]
    ends = after[0] if end is None else np.full(3, end)
    warmup = start + (ends - start) * np.arange(duration)[:, None] / (duration - 1)
    expected = np.concatenate([warmup, after[int((ends == after[0]).all()) :]])[:EVENTS]
    optimizer = optimizer_of(3, tensor=False)
    written, history, simulated = warmed_up(own, lambda _, optimizer: make(optimizer), optimizer, start, duration, end)
    for ours in (written, history, np.array(simulated)[:, 1:]):
        assert_close(ours, expected)
