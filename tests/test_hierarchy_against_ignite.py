"""Equality with the installed ignite of what writes elsewhere, groups, wraps, or follows a metric, in real engines.

Where ignite is at fault, the installed torch or plain arithmetic says what is right instead.
"""

import inspect
import math
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ignite.engine import Engine, Events
from ignite.handlers import param_scheduler, state_param_scheduler
from optimizers import make_optimizer, make_trainer, values_of
from rigs import optimizer_of
from strategies import cyclic, cyclical, piecewise, ratios, values
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

import lehr.handlers as own

PUBLIC = {
    name: thing
    for module in (param_scheduler, state_param_scheduler)
    for name, thing in vars(module).items()
    if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
}
peer = SimpleNamespace(**PUBLIC)
EVENTS = 40
few = settings(max_examples=max(1, settings().max_examples // 4))  # for what takes an engine's run of every kind


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


# Engine state

wholes = st.integers(-3, 3)
decays = {"initial_value": values | wholes.filter(bool), "gamma": ratios | wholes}
tables = st.lists(st.integers(-5, 5) | st.booleans() | values, min_size=1)
STATES = {
    "LambdaStateScheduler": {"lambda_obj": tables.map(lambda table: lambda event: table[event % len(table)])},
    "PiecewiseLinearStateScheduler": {"milestones_values": piecewise()},
    "ExpStateScheduler": decays,
    "StepStateScheduler": {**decays, "step_size": st.integers(1, 9)},
    "MultiStepStateScheduler": {**decays, "milestones": st.lists(st.integers(0, 40), max_size=6).map(sorted)},
}
STATES = {name: st.fixed_dictionaries(arguments) for name, arguments in STATES.items()}
NEW = {"param_name": "rate", "save_history": True, "create_new": True}
each_state = pytest.mark.parametrize("name", STATES)
EVENT = [
    Events.ITERATION_STARTED,
    Events.EPOCH_COMPLETED,
    Events.ITERATION_COMPLETED(every=3),
    Events.EPOCH_STARTED(once=2),
]
EITHER = Events.EPOCH_STARTED | Events.ITERATION_COMPLETED(event_filter=lambda engine, event: event > 11)
when = st.sampled_from([(), (EITHER,), *((event,) for event in EVENT)])


def run_state(scheduler, *event):
    """What stands in the state at every iteration and epoch, and the history."""
    trainer, seen = make_trainer(), []
    scheduler.attach(trainer, *event)
    for moment in (Events.ITERATION_STARTED, Events.ITERATION_COMPLETED, Events.EPOCH_COMPLETED):
        trainer.add_event_handler(moment, lambda: seen.append(trainer.state.rate))
    trainer.run([0] * 5, max_epochs=4)
    return seen, trainer.state.param_history


def assert_same_state(theirs, ours, *event):
    expected, their_history = run_state(theirs, *event)
    seen, history = run_state(ours, *event)
    assert_same_items(seen, expected)
    assert set(history) == set(their_history) == {"rate"}
    assert_close(history["rate"], their_history["rate"])
    assert ours.event_index == theirs.event_index


@each_state
@few
@given(data=st.data(), event=when)
def test_state_schedulers_leave_and_record_the_same(name, data, event):
    kwargs = {**NEW, **data.draw(STATES[name])}
    assert_same_state(getattr(peer, name)(**kwargs), getattr(own, name)(**kwargs), *event)


@each_state
@few
@given(data=st.data())
def test_state_schedulers_simulate_the_same(name, data):
    kwargs = {"num_events": 25, **NEW, **data.draw(STATES[name])}
    theirs, ours = (np.array(getattr(library, name).simulate_values(**kwargs), dtype=object) for library in (peer, own))
    assert_same_items(ours[:, 0], theirs[:, 0])
    assert_close(ours[:, 1], theirs[:, 1])
    if name != "LambdaStateScheduler":
        assert_same_items(ours[:, 1], theirs[:, 1])


class Mixin:
    def get_param(self):
        return 3 * self.event_index


def users_own(library, table):
    """What a user may have written for ignite."""

    class Own(library.StateParamScheduler):
        def get_param(self):
            return table[self.event_index % len(table)]

    class OfAnOwn(Own):
        def get_param(self):
            return super().get_param() * self.event_index

    class OfAMixin(Mixin, library.StateParamScheduler):
        pass

    class Formula(library.ExpStateScheduler):
        def get_param(self):
            return self.initial_value + self.gamma * self.event_index

    return {"own": Own, "of an own": OfAnOwn, "of a mixin": OfAMixin, "formula": Formula}


@pytest.mark.parametrize("kind", ["own", "of an own", "of a mixin", "formula"])
@few
@given(event=when, table=tables, numbers=STATES["ExpStateScheduler"])
def test_a_users_own_state_scheduler_sees_the_same_event_index_and_arguments(kind, event, table, numbers):
    theirs, ours = (users_own(library, table)[kind] for library in (peer, own))
    kwargs = {**NEW, **(numbers if kind == "formula" else {})}
    assert_same_state(theirs(**kwargs), ours(**kwargs), *event)
    assert_close(ours.simulate_values(9, **kwargs), theirs.simulate_values(9, **kwargs))


@each_state
@few
@given(data=st.data(), event=when)
def test_a_users_change_to_a_state_scheduler_moves_over(name, data, event):
    def define(library):
        class Changed(getattr(library, name)):
            def get_param(self):
                return super().get_param() + self.event_index

        class Twice(Changed):
            def get_param(self):
                return -2 * super().get_param()

        return Twice

    kwargs = {**NEW, **data.draw(STATES[name])}
    assert_same_state(define(peer)(**kwargs), define(own)(**kwargs), *event)


@pytest.mark.parametrize("create_new", [False, True])
@pytest.mark.parametrize("before", [{}, {"rate": 7.0}, {"rate": None}, {"other": 1}])
@pytest.mark.parametrize("again", [False, True])
def test_attaching_to_a_state_refuses_and_warns_when_ignite_does(create_new, before, again):
    def attach(library):
        trainer, scheduler = make_trainer(), library.ExpStateScheduler(1.0, 0.5, "rate", False, create_new)
        for name, value in before.items():
            setattr(trainer.state, name, value)
        raised = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(1 + again):
                try:
                    scheduler.attach(trainer)
                except Exception as error:
                    raised.append(type(error))
        held = getattr(trainer.state, "rate", "none")
        return raised, [warning.category for warning in caught], held, trainer.has_event_handler(scheduler)

    assert attach(own) == attach(peer)


# Batch sizes


@few
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    length=st.integers(1, 30),
    epoch_length=st.none() | st.integers(1, 9),
    event=st.sampled_from([(), (Events.EPOCH_COMPLETED,), (Events.ITERATION_STARTED,)]),
)
def test_batches_have_the_same_sizes(sizes, length, epoch_length, event):
    def batches(library):
        loader, seen = DataLoader(torch.arange(length), batch_size=4), []
        trainer = Engine(lambda engine, batch: seen.append((engine.state.epoch, batch.tolist())))
        scheduler = library.BatchSizeScheduler(loader, lambda event: sizes[event % len(sizes)], save_history=True)
        scheduler.attach(trainer, *event)
        trainer.run(loader, max_epochs=5, epoch_length=epoch_length)
        return seen, list(trainer.state.param_history["batch_size"]), loader.batch_sampler.batch_size

    assert batches(own) == batches(peer)


@given(sizes=st.lists(st.integers(1, 500), min_size=1))
def test_batch_sizes_are_simulated_the_same(sizes):
    theirs = peer.BatchSizeScheduler.simulate_values(len(sizes), scheduler_fn=sizes.__getitem__)
    ours = own.BatchSizeScheduler.simulate_values(len(sizes), scheduler_fn=sizes.__getitem__)
    assert ours == theirs
    assert {type(item) for row in ours for item in row} == {int}


# Groups of schedulers

members = st.tuples(
    st.sampled_from(["CosineAnnealingScheduler", "LinearCyclicalScheduler", "PiecewiseLinear"]),
    st.sampled_from(["lr", "momentum"]),
    st.integers(0, 2),
    cyclical(warmup=False),
    piecewise(),
)
groups = st.lists(members, min_size=1, max_size=4)


def grouped(library, drawn, optimizer, **changed):
    """The members, of which each has its own parameter, group and arguments."""
    return [
        getattr(library, kind)(
            optimizer,
            param_name,
            param_group_index=index,
            **({"milestones_values": points} if kind == "PiecewiseLinear" else {**cycle, **changed}),
        )
        for kind, param_name, index, cycle, points in drawn
    ]


@few
@given(drawn=groups)
def test_groups_of_schedulers_leave_and_record_the_same(drawn):
    results = []
    for library in (peer, own):
        optimizer, names = make_optimizer(3), [f"member {at}" for at in range(len(drawn))]
        scheduler = library.ParamGroupScheduler(grouped(library, drawn, optimizer), names, save_history=True)
        results.append(run(scheduler, optimizer, "lr", "momentum"))
    (expected, their_history), (written, history) = results
    assert_close(written, expected)
    assert list(history) == list(their_history)
    for name in their_history:
        assert_close(history[name], their_history[name])


@few
@given(drawn=groups, seen=st.integers(0, EVENTS))
def test_groups_of_schedulers_simulate_and_tell_the_same_within_the_first_cycle(drawn, seen):
    """From the second cycle on, and in the warm-up before it, ignite tells what it does not write."""
    simulated, told = [], []
    for library in (peer, own):
        optimizer = make_optimizer(3)
        schedulers = grouped(library, drawn, optimizer, cycle_size=EVENTS + 1)
        simulated.append(library.ParamGroupScheduler.simulate_values(EVENTS, schedulers, names=["a"] * len(drawn)))
        scheduler = library.ParamGroupScheduler(schedulers, ["a"] * len(drawn))
        for _ in range(seen):
            scheduler(None)
        told.append(scheduler.get_param())
    assert_close(simulated[1], simulated[0])
    assert_close(told[1], told[0])


@few
@given(
    kwargs=st.lists(cyclical(), min_size=1, max_size=3),
    points=piecewise(),
    durations=st.lists(st.integers(1, 20), min_size=3, max_size=3),
    names=st.none() | st.lists(st.sampled_from(["lr", "momentum", "weight_decay"]), min_size=1, max_size=3),
    wrapped=st.booleans(),
)
def test_concatenations_simulate_the_same_parameters(kwargs, points, durations, names, wrapped):
    def simulated(library):
        optimizer = make_optimizer(2)
        schedulers = [
            library.PiecewiseLinear(optimizer, "lr", points),
            *(library.CosineAnnealingScheduler(optimizer, "lr", **each) for each in kwargs),
        ]
        if wrapped:
            torch_scheduler = lr_scheduler.OneCycleLR(optimizer, 0.7, total_steps=EVENTS + 1)
            schedulers[-1] = library.LRScheduler(torch_scheduler)
        return library.ConcatScheduler.simulate_values(EVENTS, schedulers, durations[: len(kwargs)], names)

    assert_close(simulated(own), simulated(peer))


# Plateaus

plateaus = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["min", "max"]),
        "factor": st.floats(0.0, 0.99),
        "patience": st.integers(0, 3),
        "threshold": st.floats(0.0, 0.5),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "cooldown": st.integers(0, 3),
        "eps": st.sampled_from([0.0, 1e-8, 0.05]),
    },
)
metrics = st.lists(st.floats(-3.0, 3.0) | st.integers(-2, 2) | st.just(math.nan), min_size=1, max_size=30)
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


# Arguments


def cosine(library, optimizer=None, param_name="lr", **kwargs):
    arguments = {"start_value": 1.0, "end_value": 0.1, "cycle_size": 5, **kwargs}
    return library.CosineAnnealingScheduler(optimizer or make_optimizer(2), param_name, **arguments)


def pair(library, *param_names):
    optimizer = make_optimizer(2)
    return [cosine(library, optimizer, param_name) for param_name in param_names or ("lr", "lr")]


def warmup(library, duration=5, **kwargs):
    return library.create_lr_scheduler_with_warmup(cosine(library), 0.0, duration, **kwargs)


def plateau(library, **kwargs):
    return library.ReduceLROnPlateauScheduler(make_optimizer(2), "loss", **kwargs)


def batch_size(library, size=2):
    return library.BatchSizeScheduler(DataLoader(range(9), batch_size=2), lambda event: size)


def giving(library, value):
    class Own(library.ParamScheduler):
        def get_param(self):
            return value

    return Own(make_optimizer(2), "lr")


def fired(scheduler, **metrics):
    trainer = make_trainer()
    trainer.state.metrics = metrics
    scheduler(trainer)


MEMBERS = {
    "none": lambda lib: None,
    "a set": lambda lib: set(pair(lib)),
    "too few": lambda lib: pair(lib)[:1],
    "another thing": lambda lib: [*pair(lib), 0.1][1:],
    "two optimizers": lambda lib: [cosine(lib), cosine(lib)],
    "two parameters": lambda lib: pair(lib, "lr", "momentum"),
    "torch's own": lambda lib: [cosine(lib), lr_scheduler.StepLR(make_optimizer(), 3)],
}
POINTS = [None, 3, {1: 2}, [], (), [3], ["ab"], [(0, 1.0, 2)], [(0.5, 1.0)], [("0", 1.0)], [(5, 1.0), (3, 1.0)]]
FILES = [None, 3, "x", [], {}, {"event_index": 3}]
SAVED = {
    "a cycle": cosine,
    "points": lambda lib: lib.PiecewiseLinear(make_optimizer(), "lr", [(0, 1.0)]),
    "a concatenation": lambda lib: lib.ConcatScheduler(pair(lib), [3]),
    "a group": lambda lib: lib.ParamGroupScheduler(pair(lib)),
    "torch's": lambda lib: lib.LRScheduler(lr_scheduler.StepLR(make_optimizer(), 3)),
    "a plateau": plateau,
    "a batch size": batch_size,
    "a state": lambda lib: lib.ExpStateScheduler(1.0, 0.5, "rate"),
}
REFUSED = {
    "optimizer": (lambda lib, bad: lib.PiecewiseLinear(bad, "lr", [(0, 1.0)]), [None, 3, "ab", [], object()]),
    "cycle_size": (lambda lib, bad: cosine(lib, cycle_size=bad), [1, 0, -3, "5"]),
    "warm-up of two ways": (
        lambda lib, bad: lib.LinearCyclicalScheduler(make_optimizer(), "lr", 1.0, 0.1, 5, warmup_duration=bad),
        [1, 7],
    ),
    "points": (lambda lib, bad: lib.PiecewiseLinear(make_optimizer(), "lr", bad), POINTS),
    "points of a state": (lambda lib, bad: lib.PiecewiseLinearStateScheduler(bad, "rate"), POINTS),
    "concatenated": (lambda lib, bad: lib.ConcatScheduler(MEMBERS[bad](lib), [3]), MEMBERS),
    "grouped": (
        lambda lib, bad: lib.ParamGroupScheduler(MEMBERS[bad](lib)),
        ["none", "a set", "another thing", "torch's own"],
    ),
    "durations": (lambda lib, bad: lib.ConcatScheduler(pair(lib), bad), [None, 3, "3", {3}, [3, 4], [], [2.5]]),
    "param_names": (
        lambda lib, bad: lib.ConcatScheduler.simulate_values(3, pair(lib), [3], bad),
        ["lr", 3, {"lr"}, [3], ["lr", None]],
    ),
    "simulated": (
        lambda lib, bad: lib.ConcatScheduler.simulate_values(3, MEMBERS[bad](lib), [3]),
        ["none", "a set", "too few", "two optimizers", "two parameters"],
    ),
    "names": (lambda lib, bad: lib.ParamGroupScheduler(pair(lib), bad), ["ab", 3, {"lr"}, [3, 4], ["a", None], ["a"]]),
    "lr_scheduler": (lambda lib, bad: lib.LRScheduler(bad), [None, 3, "StepLR", lr_scheduler.StepLR]),
    "simulated lr_scheduler": (lambda lib, bad: lib.LRScheduler.simulate_values(3, bad), [None, 3, make_optimizer]),
    "lr_scheduler after a warm-up": (
        lambda lib, bad: lib.create_lr_scheduler_with_warmup(bad, 0.0, 5),
        [None, 3, "x", make_optimizer],
    ),
    "a group after a warm-up": (
        lambda lib, bad: lib.create_lr_scheduler_with_warmup(lib.ParamGroupScheduler(pair(lib)), 0.0, bad),
        [5],
    ),
    "warmup_duration": (lambda lib, bad: warmup(lib, bad), [None, 2.5, 5.0, "3", 1, 0, -2]),
    "output": (lambda lib, bad: warmup(lib, output_simulated_values=bad), [3, (None,), "ab", {}]),
    "min_lr": (lambda lib, bad: plateau(lib, param_group_index=0, min_lr=bad), [[0.1, 0.2], (0.1,), "a"]),
    "factor": (lambda lib, bad: plateau(lib, factor=bad), [1.0, 1.5, "a"]),
    "mode": (lambda lib, bad: plateau(lib, mode=bad), ["x", 3]),
    "threshold_mode": (lambda lib, bad: plateau(lib, threshold_mode=bad), ["x", 3]),
    "another argument": (lambda lib, bad: plateau(lib, **{bad: 1}), ["foo"]),
    "metrics": (lambda lib, bad: fired(plateau(lib), **bad), [{}, {"accuracy": 1.0}]),
    "metric_values": (
        lambda lib, bad: lib.ReduceLROnPlateauScheduler.simulate_values(3, bad, 0.1),
        [[], [1.0, 2.0], [1.0] * 4],
    ),
    "dataloader": (lambda lib, bad: lib.BatchSizeScheduler(bad, lambda event: 2), [None, 3, [1, 2], "ab", range(4)]),
    "batch_sampler": (
        lambda lib, bad: lib.BatchSizeScheduler(DataLoader(range(9), **bad), lambda event: 2),
        [{"batch_size": None}, {"batch_sampler": [[1], [2]]}],
    ),
    "scheduler_fn": (
        lambda lib, bad: lib.BatchSizeScheduler(DataLoader(range(9), batch_size=2), bad),
        [None, 3, [1, 2], "ab"],
    ),
    "batch size": (lambda lib, bad: fired(batch_size(lib, bad)), [0, -1, 2.5, math.nan]),
    "no scheduler_fn": (lambda lib, bad: lib.BatchSizeScheduler.simulate_values(bad), [3]),
    "lambda_obj": (lambda lib, bad: lib.LambdaStateScheduler(bad, "rate"), [None, 3, "ab", [1]]),
    "no param_name": (lambda lib, bad: lib.ExpStateScheduler.simulate_values(bad, initial_value=1.0, gamma=0.5), [3]),
    "values for groups": (lambda lib, bad: fired(giving(lib, bad)), [[], [0.1], [0.1, 0.2, 0.3]]),
    "abstract": (lambda lib, bad: getattr(lib, bad)("rate"), ["BaseParamScheduler", "StateParamScheduler"]),
    "abstract of an optimizer": (lambda lib, bad: lib.ParamScheduler(make_optimizer(), bad), ["lr"]),
    "abstract cycle": (lambda lib, bad: lib.CyclicalScheduler(make_optimizer(), "lr", 1.0, 0.1, bad), [5]),
    "event": (lambda lib, bad: cosine(lib).attach(make_trainer(), bad), ["no_such_event"]),
    **{
        f"state of {name}": (lambda lib, bad, make=make: make(lib).load_state_dict(bad), FILES)
        for name, make in SAVED.items()
    },
}


@pytest.mark.parametrize(
    ("act", "bad"),
    [(act, bad) for act, every in REFUSED.values() for bad in every],
    ids=[f"{name}: {bad!r:.20}" for name, (_, every) in REFUSED.items() for bad in every],
)
def test_bad_arguments_raise_the_type_of_error_that_ignite_raises(act, bad):
    raised = []
    for library in (peer, own):
        with pytest.raises(Exception) as caught:  # noqa: PT011 -- it is for ignite to say which one
            act(library, bad)
        raised.append(caught.type)
    assert raised[0] is raised[1]


def positions(function):
    """Names, order and defaults of the arguments, without those that take whatever else is given."""
    parameters = inspect.signature(function).parameters.values()
    return [
        (each.name, each.default) for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]


@pytest.mark.parametrize("name", PUBLIC)
def test_arguments_have_the_names_order_and_defaults_of_ignites(name):
    theirs, ours = (getattr(library, name) for library in (peer, own))
    if name == "LinearCyclicalScheduler":  # ignite's own takes whatever its base class does, and one more
        expected = [*positions(peer.CyclicalScheduler), *positions(theirs)]
    else:
        expected = positions(theirs)
    assert positions(ours)[: len(expected)] == expected
    added = list(inspect.signature(ours).parameters.values())[len(expected) :]
    assert all(each.kind in (each.KEYWORD_ONLY, each.VAR_KEYWORD) for each in added)


@pytest.mark.parametrize("name", [name for name, thing in PUBLIC.items() if inspect.isclass(thing)])
def test_methods_take_all_that_ignites_take(name):
    theirs, ours = (getattr(library, name) for library in (peer, own))
    methods = [method for method in dir(theirs) if not method.startswith("_") and callable(getattr(theirs, method))]
    for method in [*methods, *(["__call__"] if "__call__" in dir(theirs) else [])]:
        expected, given = positions(getattr(theirs, method)), positions(getattr(ours, method))
        assert [argument for argument, _ in given][: len(expected)] == [argument for argument, _ in expected], method
        for (argument, default), (_, own_default) in zip(expected, given, strict=False):
            assert default in (own_default, inspect.Parameter.empty), (method, argument)


@pytest.mark.parametrize("make", SAVED.values(), ids=SAVED)
def test_schedulers_have_all_public_methods_and_properties_of_ignites(make):
    assert {name for name in dir(type(make(peer))) if not name.startswith("_")} <= set(dir(make(own)))
