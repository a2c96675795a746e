"""What holds when something goes wrong: scheduler, optimizer and history tell of the same events, and nothing leaks."""

import functools
import gc
import json
import math
import random
import select
import signal
import subprocess
import sys
import textwrap
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
import torch
from cases import for_each
from ignite.engine import Engine, Events
from optimizers import make_optimizer, make_trainer, values_of
from rigs import ALL, Rig
from torch.optim import lr_scheduler as peer

from lehr.engine import OptimizerEvents, ParamHistory
from lehr.handlers import (
    BatchRamp,
    BatchSizeScheduler,
    ChainedScheduler,
    ConcatScheduler,
    ConstantScheduler,
    CosineAnnealingScheduler,
    LambdaScheduler,
    LRScheduler,
    MetricScheduler,
    MultiplicativeScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ReduceOnPlateauScheduler,
    StateParamScheduler,
)
from lehr.handlers.schedulers.torch.optimizer_values import no_step
from lehr.handlers.schedules import Plateau

EVENTS, FAULT = 16, 5
CHOSEN = [
    "cosine, 1 groups",
    "cosine, 3 groups",
    "one cycle, per group, 3 groups",
    "concatenation, per group, 3 groups",
    "function, 3 groups",
    "own get_param, a list, 3 groups",
    "multiplicative, 3 groups",
    "groups",
    "groups, tensors",
    "groups, then torch",
    "torch in a group",
    "coupled",
    "StepLR, 1 groups, float",
    "OneCycleLR, 3 groups, tensor",
    "torch's plateau",
    "plateau",
    "plateau, tensors",
    "plateau after a warm-up",
    "metric",
    "metric, greedy",
    "phases",
    "phases, by a metric",
    "state",
    "state of a function",
    "batch size of a schedule",
]
each_chosen = for_each("name", CHOSEN)
TRIED: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def tell_how_many(request):
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\ninterrupts:", ", ".join(f"{count} {what}" for what, count in sorted(TRIED.items())))


class GoneWrongError(Exception):
    """What the tests raise."""


class Endless(list[float]):
    """Metrics for any event."""

    def __getitem__(self, index):
        return super().__getitem__(index % len(self))


def made(name: str) -> Rig:
    rig = ALL[name]()
    rig.engine.logger.disabled = True
    rig.metrics = None if rig.metrics is None else Endless(rig.metrics)
    return rig


@functools.cache
def unbroken(name: str, events: int) -> list[list[float]]:
    """What stands where it writes after each event, if nothing goes wrong."""
    return made(name).fire(events)


@functools.cache
def recorded(name: str, events: int) -> dict[str, list[Any]]:
    rig = made(name)
    rig.fire(events)
    return {of: column[:] for of, column in rig.engine.state.param_history.items()}


def attach(rig: Rig, event: Any = None) -> Any:
    """With its metrics, which come before its event."""
    event = event or rig.event
    if rig.metrics is not None:
        rig.engine.state.metrics = {}
        metrics, scheduler = rig.metrics, rig.scheduler
        rig.engine.add_event_handler(
            event, lambda engine: engine.state.metrics.update(loss=metrics[scheduler.event_index])
        )
    if rig.observe is not None:
        rig.engine.add_event_handler(event, rig.observe)
    return rig.scheduler.attach(rig.engine, event)


def assert_consistent(name: str, rig: Rig, events: int) -> None:
    """So many events were counted, and recorded, and the last one is what stands there."""
    assert rig.scheduler.event_index == events
    history = getattr(rig.engine.state, "param_history", {})
    expected = {of: column[:events] for of, column in recorded(name, EVENTS).items()} if events else {}
    assert {of: column[:] for of, column in history.items() if events} == expected
    assert rig.read() == (unbroken(name, EVENTS)[events - 1] if events else made(name).read())


def assert_it_goes_on(name: str, rig: Rig) -> None:
    done = rig.scheduler.event_index
    assert rig.fire(EVENTS - done) == unbroken(name, EVENTS)[done:]
    assert_consistent(name, rig, EVENTS)


# Errors of others.


@each_chosen
@pytest.mark.parametrize("where", ["before", "after", "in the step", "in the data"])
def test_an_error_elsewhere_leaves_them_of_one_mind(name, where):
    rig, calls = made(name), []

    def go_wrong(*args):
        calls.append(args)
        if len(calls) == FAULT:
            raise GoneWrongError

    def data():
        while True:
            if where == "in the data":
                go_wrong()
            yield 0

    if where == "before":
        rig.engine.add_event_handler(rig.event, go_wrong)
    attach(rig)
    if where == "after":
        rig.engine.add_event_handler(rig.event, go_wrong)
    if where == "in the step":
        rig.engine._process_function = go_wrong
    with pytest.raises(GoneWrongError):
        rig.engine.run(data(), max_epochs=EVENTS, epoch_length=1)
    fetched_before = where == "in the data" and rig.event == Events.ITERATION_STARTED
    assert_consistent(name, rig, FAULT - (where == "before" or fetched_before))
    assert_it_goes_on(name, rig)


# Errors of what the scheduler asks: a user's function, or a metric.


def flaky(kind: str, bad: Any = None) -> Callable[[int], Any]:
    """A function of the event that goes wrong once, at event ``FAULT``, and then no more."""
    to_come = [kind]

    def function(event: int) -> Any:
        if event == FAULT and to_come:
            if to_come.pop() == "raises":
                raise GoneWrongError
            return bad
        return 1.0 + event % 3

    return function


def _decay(optimizer: Any) -> CosineAnnealingScheduler:
    return CosineAnnealingScheduler(optimizer, "weight_decay", 0.5, 0.1, 10)


class OwnGetParam(ParamScheduler):
    def __init__(self, optimizer, function):
        super().__init__(optimizer, "lr", save_history=True)
        self.function = function

    def get_param(self):
        return self.function(self.event_index)


OF_A_FUNCTION: dict[str, Callable[[Any, Any], Any]] = {
    "function": lambda optimizer, function: ParamScheduler(optimizer, "lr", save_history=True, schedule=function),
    "own get_param": OwnGetParam,
    "lambda": lambda optimizer, function: LambdaScheduler(
        optimizer, "lr", function, initial_value=0.5, save_history=True
    ),
    "lambda, the last of three": lambda optimizer, function: LambdaScheduler(
        optimizer, "lr", [abs, abs, function], initial_value=0.5, save_history=True
    ),
    "running product": lambda optimizer, function: MultiplicativeScheduler(
        optimizer, "lr", function, initial_value=0.5, save_history=True
    ),
    "second of several": lambda optimizer, function: ParamGroupScheduler(
        [_decay(optimizer), ParamScheduler(optimizer, "lr", schedule=function)], save_history=True
    ),
    "in a concatenation": lambda optimizer, function: ConcatScheduler(
        [
            ConstantScheduler(optimizer, "lr", 0.5),
            ParamScheduler(optimizer, "lr", schedule=lambda event: function(event + 2)),
        ],
        [2],
        save_history=True,
    ),
    "in a chain": lambda optimizer, function: ChainedScheduler(
        [ConstantScheduler(optimizer, "lr", 2.0), ParamScheduler(optimizer, "lr", schedule=function)],
        initial_value=0.5,
        save_history=True,
    ),
    "torch's lambda": lambda optimizer, function: LRScheduler(
        peer.LambdaLR(optimizer, [abs, abs, function]), save_history=True
    ),
    "torch's product": lambda optimizer, function: LRScheduler(
        peer.MultiplicativeLR(optimizer, [abs, abs, function]), save_history=True
    ),
    "batch size": lambda optimizer, function: BatchSizeScheduler(
        torch.utils.data.DataLoader(torch.zeros(8)), lambda event: _whole(function(event)), save_history=True
    ),
    "state": lambda optimizer, function: StateParamScheduler(
        "rate", create_new=True, save_history=True, schedule=function
    ),
}
FAULTS = {
    "raises": None,
    "not a number": "x",
    "NaN": math.nan,
    "infinity": math.inf,
    "None": None,
    "too many": [1.0] * 4,
    "no list": [],
}


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and math.isfinite(value) else value


def _rig_of(kind: str, function: Any) -> Rig:
    optimizer, engine = make_optimizer(3, weight_decay=0.25), make_trainer()
    scheduler = OF_A_FUNCTION[kind](optimizer, function)

    def read():
        loader = getattr(scheduler, "dataloader", None)
        others = [getattr(engine.state, "rate", None), loader and loader.batch_sampler.batch_size]
        return [*values_of(optimizer), *values_of(optimizer, "weight_decay"), *others]

    return Rig(scheduler, read, engine)


# torch takes what it is given, and a list of numbers is a value in an engine's state.
WRONG = [
    (kind, fault)
    for kind in OF_A_FUNCTION
    for fault in FAULTS
    if (fault == "raises" or not kind.startswith("torch's")) and (kind, fault) != ("state", "too many")
]


@for_each(("kind", "fault"), WRONG)
def test_a_function_that_goes_wrong_once_is_asked_again(kind, fault):
    expected = _rig_of(kind, flaky("never", 1.0 + FAULT % 3))
    rows, rig = expected.fire(EVENTS), _rig_of(kind, flaky(fault, FAULTS[fault]))
    assert rig.fire(FAULT) == rows[:FAULT]
    with pytest.raises((GoneWrongError, TypeError, ValueError)):
        rig.fire()
    assert rig.scheduler.event_index == FAULT
    assert rig.read() == rows[FAULT - 1]
    assert {len(column) for column in rig.engine.state.param_history.values()} == {FAULT}
    assert rig.fire(EVENTS - FAULT) == rows[FAULT:]
    assert rig.engine.state.param_history == expected.engine.state.param_history


BY_METRIC = [name for name in CHOSEN if ALL[name]().metrics is not None]


@for_each("bad", [None, "x", [1.0, 2.0], torch.zeros(2)], ids=["missing", "text", "list", "tensor"])
@for_each("name", BY_METRIC)
def test_a_metric_that_is_missing_or_no_number_counts_for_nothing(name, bad):
    rig = made(name)
    rig.fire(FAULT)
    rig.engine.state.metrics = {} if bad is None else {"loss": bad}
    with pytest.raises((TypeError, ValueError), match="metric"):
        (rig.observe or rig.scheduler)(rig.engine)
    assert_consistent(name, rig, FAULT)
    assert_it_goes_on(name, rig)


@each_chosen
def test_a_name_that_is_taken_in_mid_run_undoes_the_event(name):
    """The event fails where it would be recorded, after all that it has asked and before it is written."""
    rig = made(name)
    rig.fire(FAULT)
    kept, other = rig.engine.state.param_history, ConstantScheduler(make_optimizer(), "lr", 0.5)
    taken = rig.engine.state.param_history = ParamHistory()
    handle = rig.engine.add_event_handler(Events.COMPLETED, other)
    for of in kept:
        taken.recorders[of] = other
    if rig.metrics is not None:
        rig.engine.state.metrics = {"loss": rig.metrics[FAULT]}
    with pytest.raises(ValueError, match="name must not be"):
        rig.scheduler(rig.engine)
    handle.remove()
    rig.engine.state.param_history = kept
    assert_consistent(name, rig, FAULT)
    assert_it_goes_on(name, rig)


def test_a_member_that_cannot_write_keeps_the_others_from_writing():
    optimizer, other = make_optimizer(2, weight_decay=0.25), make_optimizer(2)
    scheduler = ParamGroupScheduler(
        [_decay(optimizer), ParamScheduler(other, "lr", schedule=lambda event: [1.0 + event, 2.0])], ["decay", "lr"]
    )
    scheduler(None)
    before = values_of(optimizer, "weight_decay")
    other.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    with pytest.raises(ValueError, match="2 values of 'lr' cannot be written to 3 param groups"):
        scheduler(None)
    assert (scheduler.event_index, values_of(optimizer, "weight_decay"), values_of(other)[:2]) == (1, before, [1.0, 2])


# Runs that are ended, and go on.


@each_chosen
@pytest.mark.parametrize("stop", ["terminate", "terminate_epoch"])
def test_a_run_that_was_terminated_goes_on(name, stop):
    rig = made(name)
    attach(rig)
    rig.engine.add_event_handler(Events.ITERATION_STARTED(once=FAULT), lambda engine: getattr(engine, stop)())
    length = 1 if rig.event == Events.EPOCH_STARTED else 2
    rig.engine.run([0] * length, max_epochs=4 * (3 - length))
    done = rig.scheduler.event_index
    assert done >= FAULT
    assert_consistent(name, rig, done)
    rig.engine.run([0] * length, max_epochs=6 * (3 - length))
    assert done < rig.scheduler.event_index <= EVENTS
    assert_consistent(name, rig, rig.scheduler.event_index)


# Ctrl-C.


ONE_CYCLES = ("OneCycleLR, 3 groups, tensor", "groups, then torch")  # which torch ends after 70 steps


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@patch(
    "lehr.handlers.core.schedule_reading.BLOCK_SIZE", 1024
)  # to read one of the full size takes longer than until the interrupt
def interrupt_between_any_two_instructions(name: str, interrupts: int, seed: int) -> None:
    """Calls in a tight loop, each stretch of which is ended by an interrupt at a drawn moment."""
    draw, events = random.Random(seed), 60 if name in ONE_CYCLES else 1100  # more than a block
    expected, columns = unbroken(name, events), recorded(name, events)
    rig, done = made(name), 0
    previous = signal.signal(signal.SIGALRM, interrupt)
    gc.disable()  # an interrupt in a callback of the garbage collector, such as Hypothesis', would be lost
    try:
        while done < interrupts:
            try:
                signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-5, 2e-4))
                while rig.scheduler.event_index < events:
                    rig.fire()
                signal.setitimer(signal.ITIMER_REAL, 0)
                rig = made(name)
                continue
            except KeyboardInterrupt:
                done += 1
            at = rig.scheduler.event_index
            held = {of: column[:] for of, column in getattr(rig.engine.state, "param_history", {}).items()}
            assert not at or held == {of: column[:at] for of, column in columns.items()}
            last = expected[at - 1] if at else made(name).read()
            allowed = zip(rig.read(), last, expected[min(at, events - 1)], strict=True)
            assert all(now in (old, new) for now, old, new in allowed)
            for optimizer in _optimizers_of(rig):
                assert optimizer.step is not no_step
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        gc.enable()
    TRIED["in a tight loop"] += done
    at = rig.scheduler.event_index
    assert rig.fire(events - at) == expected[at:]


def _optimizers_of(rig: Rig) -> list[torch.optim.Optimizer]:
    held = getattr(rig.scheduler, "optimizer", [])
    return held if isinstance(held, list) else [held]


# What is fed apart from the scheduler may be interrupted between the two, by nobody's fault.
interruptible = pytest.mark.parametrize("name", [name for name in CHOSEN if ALL[name]().observe is None])


@interruptible
def test_an_interrupt_finds_an_event_done_or_not_begun(name):
    interrupt_between_any_two_instructions(name, 8, seed=0)


@pytest.mark.proof
@interruptible
def test_thousands_of_interrupts_find_events_done_or_not_begun(name):
    for seed in range(1, 21):
        interrupt_between_any_two_instructions(name, 200, seed)


CHILD = """
    import json, random, signal, sys, warnings
    import torch
    from ignite.engine import Engine, Events
    from lehr.engine import ParamHistory
    from lehr.handlers import CosineAnnealingScheduler, OneCycleScheduler

    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes away from what it runs aside
    warnings.simplefilter("ignore")
    folder = sys.argv[1]
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(
        [{"params": [model.weight]}, {"params": [model.bias]}], lr=0.1, momentum=0.9
    )
    lr = CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.01, 997, save_history=True)
    momentum = OneCycleScheduler(optimizer, "momentum", [0.9, 0.8], total_steps=5000, save_history=True)
    planned = {"lr": lr.simulate(400_000), "momentum": momentum.simulate(400_000)}

    def step(engine, batch):
        optimizer.zero_grad()
        model(batch).sum().backward()
        optimizer.step()

    trainer = Engine(step)
    trainer.logger.disabled = True
    trainer.state.param_history = history = ParamHistory()
    for scheduler in (lr, momentum):
        scheduler.attach(trainer)
    while lr.event_index < 300_000:
        try:
            print("ready", flush=True)
            while True:  # ignite's next run after an interrupt returns at once
                trainer.run([torch.ones(1, 2)] * 50, max_epochs=10**6)
        except KeyboardInterrupt:
            torch.set_grad_enabled(True)  # as torch may not do, where its own step was interrupted
        found = {}
        for scheduler in (lr, momentum):
            name, at = scheduler.param_name, scheduler.event_index
            held = torch.tensor([group[name] for group in optimizer.param_groups], dtype=torch.float64)
            # No event has begun when the interrupt comes at once, and then there is no column yet.
            rows = torch.from_numpy(history[name].to_numpy() if name in history else planned[name][:0])
            right = len(rows) == at and torch.equal(rows, torch.from_numpy(planned[name][:at]))
            near = torch.from_numpy(planned[name][max(at - 1, 0) : at + 1])
            found[name] = bool(right) and (at == 0 or bool((held == near).any(0).all()))
        to_save = {"lr": lr.state_dict(), "momentum": momentum.state_dict(), "history": history.state_dict()}
        torch.save(to_save, folder + "/checkpoint.pt")
        print(json.dumps({**found, "at": lr.event_index}), flush=True)
"""


def interrupt_a_training(folder: Any, interrupts: int) -> None:
    """Real signals to a real process, which saves where it is and goes on."""
    draw = random.Random(0)
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        watch = threading.Timer(300, child.kill)  # what hangs is to fail
        watch.start()
        try:
            reached = done = 0
            while done < interrupts or reached == 0:  # on a busy machine, the first ones may come before any event
                done += 1
                assert child.stdout.readline() == "ready\n"
                select.select([], [], [], draw.uniform(0.001, 0.02))
                child.send_signal(signal.SIGINT)
                told = json.loads(child.stdout.readline())
                assert told["lr"]
                assert told["momentum"]
                assert told["at"] >= reached
                reached = told["at"]
                state = torch.load(folder / "checkpoint.pt", weights_only=True)
                history = ParamHistory()
                history.load_state_dict(state["history"])
                for name in ("lr", "momentum"):
                    assert state[name]["event_index"] == (len(history[name]) if name in history else 0)
                TRIED["of a training process"] += 1
        finally:
            watch.cancel()
            child.kill()


@pytest.mark.proof
def test_a_training_that_is_interrupted_hundreds_of_times_saves_consistent_checkpoints(tmp_path):
    interrupt_a_training(tmp_path, 120)


# What is dropped is freed at once, and what is removed is gone.


@pytest.fixture(scope="module")
def settled():
    """What is there before the tests is not looked at any more."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    parameter.grad = torch.zeros(1)
    torch.optim.SGD([parameter], lr=0.1).step()  # torch's first step of a process leaves a cycle
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def no_collection(settled):
    """Nothing but reference counts frees anything."""
    gc.disable()
    yield
    gc.enable()


# These schedulers of the tables refer to themselves, as users' own may.
CYCLES_OF_THEIR_OWN = ("own, by a bound method", "own, by another name")
each_free = for_each("name", [name for name in ALL if not name.startswith(CYCLES_OF_THEIR_OWN)])


def _watched(rig: Rig) -> list[weakref.ref[Any]]:
    parameters = [
        parameter
        for optimizer in _optimizers_of(rig)
        for group in optimizer.param_groups
        for parameter in group["params"]
    ]
    return [weakref.ref(thing) for thing in (rig.scheduler, rig.engine, *_optimizers_of(rig), *parameters)]


def _alive(references: list[weakref.ref[Any]]) -> list[Any]:
    return [type(thing) for reference in references if (thing := reference()) is not None]


@each_free
def test_dropping_all_of_a_run_frees_it_at_once(name, no_collection):
    rig = made(name)
    rig.scheduler.simulate(3)
    rig.scheduler.attach(rig.engine, rig.event)
    rig.engine.state.metrics = {"loss": 1.0}
    rig.engine.run([0, 0], max_epochs=3)
    other = made(name)
    other.scheduler.load_state_dict(rig.scheduler.state_dict())
    watched = _watched(rig) + _watched(other)
    del rig, other
    assert _alive(watched) == []


@each_free
def test_dropping_a_run_of_real_steps_frees_it_at_once(name, no_collection):
    """What has no optimizer of its own follows the steps of another."""
    rig = made(name)
    if isinstance(rig.scheduler, BatchRamp):
        with pytest.raises(ValueError, match="event must be GET_BATCH_STARTED or EPOCH_STARTED"):
            rig.scheduler.attach(rig.engine, OptimizerEvents.STEP_STARTED)
        return
    optimizer = rig.scheduler._stepping_optimizer()
    if optimizer is None:
        optimizer = make_optimizer()
        OptimizerEvents.attach(rig.engine, optimizer)
    rig.engine.state.metrics = {"loss": 1.0}
    handle = rig.scheduler.attach(rig.engine, OptimizerEvents.STEP_STARTED)
    for _ in range(3):
        optimizer.step()
    assert rig.scheduler.event_index == 3
    assert {len(column) for column in rig.engine.state.param_history.values()} == {3}
    watched = _watched(rig)
    del rig, optimizer, handle
    assert _alive(watched) == []


@each_free
def test_a_handle_that_is_removed_leaves_nothing_behind(name):
    rig = made(name)
    optimizer = rig.scheduler._stepping_optimizer()
    events = [rig.event, Events.ITERATION_STARTED(every=2), Events.EPOCH_STARTED | Events.EPOCH_COMPLETED]
    if isinstance(rig.scheduler, BatchRamp):  # which is attached before batches are fetched
        events, optimizer = [rig.event, Events.GET_BATCH_STARTED(every=2), Events.EPOCH_STARTED(every=2)], None
    for event in events + [OptimizerEvents.STEP_STARTED, OptimizerEvents.STEP_COMPLETED(every=2)] * bool(optimizer):
        if hasattr(rig.engine.state, "rate"):
            del rig.engine.state.rate  # which is to be new each time
        rig.scheduler.attach(rig.engine, event).remove()
        assert not any(rig.engine._event_handlers.values())
        for one in _optimizers_of(rig):
            assert not one._optimizer_step_pre_hooks
            assert not one._optimizer_step_post_hooks


def test_an_event_with_a_filter_is_a_cycle_in_ignite_and_none_in_attach(no_collection):
    """An engine of ignite refers to itself by each handler that it filters; ours are filtered without it."""
    engine = Engine(lambda engine, batch: None)
    engine.add_event_handler(Events.ITERATION_STARTED(every=2), print)
    watched = [weakref.ref(engine)]
    del engine
    assert _alive(watched) == [Engine]
    rig = made("cosine, 1 groups")
    handle = rig.scheduler.attach(rig.engine, Events.ITERATION_STARTED(every=2))
    rig.engine.run([0] * 4)
    watched = _watched(rig)
    del rig, handle
    assert _alive(watched) == []
    rig = made("cosine, 1 groups")
    handle = rig.scheduler.attach(rig.engine, Events.ITERATION_STARTED(every=2))
    handle.remove()
    watched = _watched(rig)
    del rig, handle
    assert _alive(watched) == []


def test_metric_and_plateau_free_their_engines(no_collection):
    optimizer, evaluator, trainer = make_optimizer(), make_trainer(), make_trainer()
    plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", trainer=trainer, save_history=True)
    by_metric = MetricScheduler(optimizer, "weight_decay", "loss", Plateau(initial_value=0.1), save_history=True)
    evaluator.state.metrics = {"loss": 1.0}
    plateau.attach(evaluator, Events.COMPLETED)
    by_metric.attach(evaluator, Events.COMPLETED)
    evaluator.run([0])
    watched = [weakref.ref(thing) for thing in (optimizer, evaluator, trainer, plateau, by_metric)]
    del evaluator, trainer
    assert _alive(watched[1:2]) == []  # a scheduler does not keep the engine alive whose events it has
    del plateau, by_metric, optimizer
    assert _alive(watched) == []
