"""Huge, deep, cyclic and unshowable values for every argument: an error of at most 500 characters, or it works."""

import copy
import inspect
import itertools
import json
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from cases import for_each
from huge import HUGE, nested
from ignite.engine import Engine, Events
from legal_arguments import OTHERS, SCHEDULERS, SCHEDULES, arguments_of
from nonsense import cosine
from optimizers import make_optimizer, make_trainer
from rigs import ALL

from lehr import handlers
from lehr.engine import ParamHistory, configure_optimizer
from lehr.handlers import (
    ConcatScheduler,
    LRScheduler,
    ParamScheduler,
    check_plan,
    configure_scheduler,
    dry_run,
    plans,
    plot_plan,
    schedules,
)
from lehr.handlers.schedules import (
    Anneal,
    Bounded,
    Concatenation,
    Constant,
    Cosine,
    KDecay,
    LiveSchedule,
    Mapped,
    Noise,
    Plateau,
    Product,
    SideBySide,
)

ERRORS = (TypeError, ValueError, KeyError)
MOST = 500


def short(call: Callable[[], Any]) -> Any:
    """What a call returns; None after an error of ours. No error or warning is longer than 500 characters."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call()
        except ERRORS as error:
            result = None
            assert len(str(error)) <= MOST, f"{len(str(error))} characters: {str(error)[:200]}"
    for one in caught:
        assert len(str(one.message)) <= MOST, str(one.message)[:200]
    return result


def use(scheduler: Any, engine: Engine) -> None:
    """Let a scheduler do all that it can."""
    short(lambda: scheduler.simulate(3))
    short(lambda: [scheduler(engine) for _ in range(3)])
    state = short(scheduler.state_dict)
    if state is not None:
        short(lambda: scheduler.load_state_dict(json.loads(json.dumps(state))))
    short(scheduler.config)


def given_for(number: int, kept: int) -> list[str]:
    """Some of the values, other ones for each argument."""
    return [*HUGE][number % kept :: kept]


def try_scheduler(name: str, kept: int) -> None:
    for number, argument in enumerate(arguments_of(name)):
        for what in given_for(number, kept):
            optimizer, engine = make_optimizer(2), make_trainer()
            engine.state.metrics = {"loss": 1.0}
            value = HUGE[what][:] if isinstance(HUGE[what], list) else HUGE[what]  # output_simulated_values is filled
            arguments = {**SCHEDULERS[name](optimizer), argument: value}
            scheduler = short(lambda given=arguments: getattr(handlers, name)(**given))
            if scheduler is not None:
                use(scheduler, engine)


def try_schedule(name: str, kept: int) -> None:
    for number, argument in enumerate(inspect.signature(getattr(schedules, name)).parameters):
        for what in given_for(number, kept):
            arguments = {**SCHEDULES[name], argument: HUGE[what]}
            made = short(lambda given=arguments: getattr(schedules, name)(**given))
            if isinstance(made, schedules.Schedule):
                short(lambda one=made: one(3))
                assert made == copy.deepcopy(made) or argument in ("function", "factor_fn", "scale_fn")
                if (made.groups or 1) < 100:
                    use(ParamScheduler(make_optimizer(made.groups or 1), "lr", schedule=made), make_trainer())


@for_each("name", SCHEDULERS)
def test_a_scheduler_refuses_a_huge_value_in_few_words(name):
    try_scheduler(name, 27)


@for_each("name", SCHEDULES)
def test_a_schedule_refuses_a_huge_value_in_few_words(name):
    try_schedule(name, 27)


@pytest.mark.proof
@for_each("name", SCHEDULERS)
def test_a_scheduler_refuses_every_huge_value_in_few_words(name):
    try_scheduler(name, 1)


@pytest.mark.proof
@for_each("name", SCHEDULES)
def test_a_schedule_refuses_every_huge_value_in_few_words(name):
    try_schedule(name, 1)


def trainer() -> Engine:
    made = make_trainer()
    cosine(make_optimizer()).attach(made)
    return made


def saved() -> dict[str, Any]:
    return cosine(make_optimizer()).state_dict()


def figure() -> Any:
    from matplotlib.figure import Figure

    return Figure()


# Other functions and methods, given a huge value.
CALLS: dict[str, Callable[[Any], Any]] = {
    **{
        f"{name}({argument}=)": lambda value, make=make, kwargs=kwargs, argument=argument: make(
            **{**kwargs, argument: value}
        )
        for name, (make, kwargs) in OTHERS.items()
        if name != "OptimizerEvents.attach"
        for argument in kwargs
    },
    "configure_optimizer(optimizer_type=)": lambda value: configure_optimizer(
        value, [torch.nn.Parameter(torch.ones(1))]
    ),
    "configure_optimizer(lr=)": lambda value: configure_optimizer("SGD", [torch.nn.Parameter(torch.ones(1))], lr=value),
    "attach(engine=)": lambda value: cosine(make_optimizer()).attach(value),
    "attach(event=)": lambda value: cosine(make_optimizer()).attach(make_trainer(), value),
    "attach(name=)": lambda value: cosine(make_optimizer()).attach(make_trainer(), Events.EPOCH_STARTED, value),
    "seek": lambda value: cosine(make_optimizer()).seek(value),
    "simulate(num_events=)": lambda value: cosine(make_optimizer()).simulate(value),
    "simulate(start=)": lambda value: cosine(make_optimizer()).simulate(1, value),
    "simulate_values(num_events=)": lambda value: ConcatScheduler.simulate_values(value, schedulers=[], durations=[]),
    "simulate_values(param_names=)": lambda value: ConcatScheduler.simulate_values(
        3, schedulers=[cosine(make_optimizer())] * 2, durations=[2], param_names=value
    ),
    "a keyword": lambda value: handlers.StepScheduler(make_optimizer(), "lr", 3, **{"k" * 5000: value}),
    "load_state_dict": lambda value: cosine(make_optimizer()).load_state_dict(value),
    "load_state_dict(resume_policy=)": lambda value: cosine(make_optimizer()).load_state_dict(saved(), value),
    **{
        f"load_state_dict({key})": lambda value, key=key: cosine(make_optimizer()).load_state_dict(
            {**saved(), key: value}
        )
        for key in [*saved(), "another"]
    },
    "dry_run(trainer=)": lambda value: dry_run(value, 1, 1),
    "dry_run(max_epochs=)": lambda value: dry_run(trainer(), value, 1),
    "dry_run(metrics=)": lambda value: dry_run(trainer(), 1, 1, value),
    "dry_run(metrics={})": lambda value: dry_run(trainer(), 1, 1, {"loss": value}),
    "dry_run(gradient_accumulation_steps=)": lambda value: dry_run(trainer(), 1, 1, gradient_accumulation_steps=value),
    "check_plan(jump_ratio=)": lambda value: check_plan(trainer(), 1, 1, jump_ratio=value),
    "plot_plan(plan=)": plot_plan,
    "plot_plan(names=)": lambda value: plot_plan(dry_run(trainer(), 1, 1), names=value),
    "diff_plans": lambda value: plans.diff_plans(value, value),
    "a plan's name": lambda value: dry_run(trainer(), 1, 1)["x" * 5000],
    "ParamHistory(columns=)": ParamHistory,
    "ParamHistory.load_state_dict": lambda value: ParamHistory().load_state_dict(value),
    "ParamHistory.load_state_dict({})": lambda value: ParamHistory().load_state_dict({"lr": value}),
    "configure_scheduler": lambda value: configure_scheduler(make_optimizer(), value),
    "configure_scheduler({})": lambda value: configure_scheduler(
        make_optimizer(), {"type": "torch.StepLR", "step_size": value}
    ),
    "configure_scheduler(key)": lambda value: configure_scheduler(
        make_optimizer(), {"type": "torch.StepLR", "k" * 5000: value}
    ),
    "configure_scheduler(type)": lambda value: configure_scheduler(make_optimizer(), {"type": value}),
    "configure_scheduler([])": lambda value: configure_scheduler(make_optimizer(), [value]),
    "configure_scheduler(param_name)": lambda value: configure_scheduler(
        make_optimizer(), [{"type": "torch.StepLR", "step_size": 2, "param_name": value}]
    ),
    "configure_scheduler(epoch_length=)": lambda value: configure_scheduler(
        make_optimizer(), {"type": "torch.StepLR", "step_size": 2}, epoch_length=value
    ),
}


@for_each("name", CALLS)
@pytest.mark.parametrize("kept", [9, pytest.param(1, marks=pytest.mark.proof)])
def test_a_call_refuses_a_huge_value_in_few_words(name, kept):
    for what in given_for([*CALLS].index(name), kept):
        try:
            short(lambda value=HUGE[what]: CALLS[name](value))
        except Exception as error:
            error.add_note(what)
            raise


def test_the_error_of_a_long_path_is_short(tmp_path):
    folder = tmp_path
    for _ in range(10):
        folder = folder / ("f" * 200)
    folder.mkdir(parents=True)
    path = folder / "plan.yaml"
    for content in ("x" * 1_000_000, "{" * 1000, "*" + "x" * 5000, "type: " + "x" * 5000, "? " + "k" * 5000 + "\n: 1"):
        path.write_text(content)
        with pytest.raises((TypeError, ValueError), match="plan.yaml") as raised:
            configure_scheduler(make_optimizer(), path)
        assert len(str(raised.value)) <= MOST


# Depth.


def concatenations(depth: int, make: Callable[[Any], Any]) -> Any:
    value: Any = Anneal(1.0, 0.1, 10)
    for _ in range(depth):
        value = make(value)
    return value


COMPOSITIONS: dict[str, Callable[[Any], Any]] = {
    "Concatenation": lambda inner: Concatenation([inner, Constant(0.5)], [3]),
    "Product": lambda inner: Product([inner, Constant(0.5)]),
    "Product, driven": lambda inner: Product([inner, Plateau()]) if inner.is_pure else Product([inner, Constant(0.5)]),
    "SideBySide": lambda inner: SideBySide([inner]),
    "Bounded": lambda inner: Bounded(inner, 0.0, 1.0),
    "Mapped": lambda inner: Mapped(inner, abs),
    "Noise": lambda inner: Noise(inner, 1, 0.1),
}


@for_each("name", COMPOSITIONS)
def test_a_deep_composition_works_and_one_of_900_is_refused(name):
    made = concatenations(49, COMPOSITIONS[name])
    assert made == copy.deepcopy(made)
    assert hash(made) == hash(pickle.loads(pickle.dumps(made)))
    assert name.split(",")[0] in repr(made)
    scheduler, engine = ParamScheduler(make_optimizer(), "lr", schedule=made), make_trainer()
    few = 3
    expected = scheduler.simulate(few)[:, 0].tolist()
    values = []
    for _ in range(few):
        scheduler(engine)
        values.append(scheduler.optimizer.param_groups[0]["lr"])
    assert values == expected
    if name != "Mapped":  # a function is not plain data
        json.dumps(scheduler.config())
    state = json.loads(json.dumps(scheduler.state_dict()))
    other = ParamScheduler(make_optimizer(), "lr", schedule=concatenations(49, COMPOSITIONS[name]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other.load_state_dict(state)
    with pytest.raises(ValueError, match="^schedules? must be nested at most 50 deep, given more"):
        concatenations(900, COMPOSITIONS[name])


def test_curves_and_schedulers_are_nested_at_most_50_deep():
    with pytest.raises(ValueError, match="curve must be nested at most 50 deep, given more"):
        nested(900, lambda inner: KDecay(inner if isinstance(inner, KDecay) else Cosine(), 1.1))
    optimizer = make_optimizer()
    with pytest.raises(ValueError, match="schedules must be nested at most 50 deep, given more"):
        nested(
            900, lambda inner: ConcatScheduler([inner if inner != 1.0 else cosine(optimizer), cosine(optimizer)], [3])
        )


def test_torch_schedulers_are_nested_at_most_50_deep():
    def wrapped(depth):
        inner = torch.optim.lr_scheduler.StepLR(make_optimizer(), 3)
        for _ in range(depth - 1):
            inner = torch.optim.lr_scheduler.ChainedScheduler([inner])
        return LRScheduler(inner)

    scheduler = wrapped(50)
    scheduler(None)
    wrapped(50).load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    with pytest.raises(ValueError, match="^lr_scheduler must be nested at most 50 deep, given more"):
        wrapped(400)


@for_each("what", ["a cyclic list", "a cyclic dict"])
def test_what_a_users_torch_scheduler_holds_may_be_cyclic(what):
    inner = torch.optim.lr_scheduler.StepLR(make_optimizer(), 3)
    inner.own = HUGE[what]
    scheduler = LRScheduler(inner)
    scheduler(None)
    scheduler.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))


def test_findings_and_warnings_on_many_groups_are_short():
    optimizer = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.5**at} for at in range(300)])
    trainer = make_trainer()
    one_value = handlers.StepScheduler(optimizer, "lr", 3, initial_value=0.3, gamma=1e-9)
    one_value.attach(trainer, Events.ITERATION_COMPLETED, "n" * 2000)
    findings = check_plan(trainer, 3, 4)
    assert {"groups-flattened", "late-event", "jump"} <= {finding.code for finding in findings}
    for finding in findings:
        assert max(map(len, (finding.where, finding.message, finding.suggestion))) <= MOST
    flattened = next(finding for finding in findings if finding.code == "groups-flattened")
    assert flattened.message.startswith("the param groups have (1, 0.5, 0.25, 0.125, 0.0625, 0.03125, ..., 9.818e-91)")


def test_a_schedule_that_is_in_another_one_many_times_is_refused():
    with pytest.raises(ValueError, match="schedules must contain at most 100000 schedules and curves, given more"):
        nested(40, lambda inner: Product([inner if inner != 1.0 else Constant(0.5)] * 2))


class Holding(LiveSchedule):
    """A user's schedule that holds anything."""

    held: Any = None

    def value(self, index):
        return 0.1


@for_each("what", ["a deep list", "a cyclic list", "a cyclic dict", "a deep dict"])
def test_what_a_users_schedule_holds_may_be_deep_or_cyclic(what):
    from dataclasses import dataclass

    made = dataclass(frozen=True)(type("Own", (Holding,), {"__annotations__": {"held": Any}}))(HUGE[what])
    scheduler = ParamScheduler(make_optimizer(), "lr", schedule=made)
    assert "..." in repr(scheduler)
    state = json.loads(json.dumps(scheduler.state_dict()))
    scheduler.load_state_dict(state)
    scheduler(None)


DEEP = ("a deep list", "a deep dict", "a cyclic list", "a cyclic dict", "shared lists")


@for_each("name", ALL)
@pytest.mark.parametrize("kept", [18, pytest.param(1, marks=pytest.mark.proof)])
def test_a_deep_or_cyclic_state_loads_nothing(name, kept):
    scheduler = ALL[name]().scheduler
    before = json.dumps(scheduler.state_dict())
    for key, what in list(itertools.product(json.loads(before), DEEP))[[*ALL].index(name) % kept :: kept]:
        with pytest.raises((TypeError, ValueError), match="must") as raised:
            scheduler.load_state_dict({**json.loads(before), key: HUGE[what]})
        assert len(str(raised.value)) <= MOST
    assert json.dumps(scheduler.state_dict()) == before
