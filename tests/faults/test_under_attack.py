"""Hostile or careless input: refused in a few words, or harmless.

Random numbers of other threads, huge and deep values, and cells of a table.
"""

import random
import threading
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from cases import for_each
from ignite.engine import Engine, Events
from optimizers import make_optimizer
from registry import Sawtooth, fifth_root, rounded
from rigs import ALL

from lehr.handlers import (
    ConcatScheduler,
    CosineAnnealingScheduler,
    CyclicScheduler,
    LRScheduler,
    ParamScheduler,
    StepScheduler,
    check_plan,
    dry_run,
)
from lehr.handlers.core.random_state import calls_user_code
from lehr.handlers.schedules import Constant, Mapped

# The random state of the process.


def cosine():
    return CosineAnnealingScheduler(make_optimizer(), "lr", 0.5, 0.1, 10)


def attached(scheduler, event=Events.ITERATION_STARTED):
    trainer = Engine(lambda engine, batch: None)
    scheduler.attach(trainer, event)
    return trainer


def concatenated():
    one = cosine()
    return ConcatScheduler.simulate_values(9, schedulers=[one, one], durations=[4], param_names=["lr", "momentum"])


def wrapped(make):
    return LRScheduler(make(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)))


def drawing(event_index):
    random.random(), torch.rand(1), np.random.rand()  # noqa: NPY002
    return 0.1


def passed(engine, event):
    return drawing(event) > 0


WITHOUT_FUNCTIONS: dict[str, Callable[[], object]] = {
    "dry_run": lambda: dry_run(attached(cosine()), 3, 5),
    "dry_run, with a filter of ignite": lambda: dry_run(attached(cosine(), Events.ITERATION_STARTED(every=2)), 3, 5),
    "check_plan": lambda: check_plan(attached(cosine()), 3, 5),
    "simulate": lambda: cosine().simulate(9),
    "simulate, torch's": lambda: wrapped(lambda o: torch.optim.lr_scheduler.StepLR(o, 2)).simulate(9),
    "simulate_values, concatenation": concatenated,
}
DRAWING: dict[str, Callable[[], Callable[..., object]]] = {
    "a function": lambda: ParamScheduler(make_optimizer(), "lr", schedule=drawing).simulate,
    "in a pure schedule": lambda: CyclicScheduler(make_optimizer(), "lr", 0.1, 0.2, 4, scale_fn=drawing).simulate,
    "of values": lambda: ParamScheduler(make_optimizer(), "lr", schedule=Mapped(Constant(1.0), drawing)).simulate,
    "torch's": lambda: wrapped(lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, drawing)).simulate,
    "dry_run": lambda: partial(dry_run, attached(ParamScheduler(make_optimizer(), "lr", schedule=drawing)), 3),
    "dry_run, a filter": lambda: partial(dry_run, attached(cosine(), Events.ITERATION_STARTED(event_filter=passed)), 3),
    "check_plan": lambda: partial(check_plan, attached(ParamScheduler(make_optimizer(), "lr", schedule=drawing)), 3),
}


@for_each("name", WITHOUT_FUNCTIONS)
def test_without_a_users_function_the_random_state_is_neither_read_nor_set(name, monkeypatch):
    def refuse(*args):
        raise AssertionError("the random state was read or set")

    for owner, function in (
        (random, "getstate"),
        (random, "setstate"),
        (np.random, "get_state"),
        (np.random, "set_state"),
        (torch, "get_rng_state"),
        (torch, "set_rng_state"),
    ):
        monkeypatch.setattr(owner, function, refuse)
    WITHOUT_FUNCTIONS[name]()


@for_each("name", DRAWING)
def test_after_a_users_function_the_random_state_is_restored(name):
    simulate = DRAWING[name]()
    before = random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002
    simulate(9)
    after = random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002
    assert before == after


@for_each("name", WITHOUT_FUNCTIONS)
def test_another_threads_random_numbers_do_not_repeat(name):
    stop, drawn, simulated = threading.Event(), [], []

    def simulate():
        while not stop.is_set():
            simulated.append(WITHOUT_FUNCTIONS[name]())

    thread = threading.Thread(target=simulate)
    thread.start()
    try:
        while thread.is_alive() and (len(drawn) < 1000 or len(simulated) < 10):
            drawn.append((random.random(), np.random.rand(), torch.rand(1, dtype=torch.float64).item()))  # noqa: NPY002
    finally:
        stop.set()
        thread.join()
    assert len(simulated) >= 10
    for numbers in zip(*drawn, strict=True):
        assert len(set(numbers)) == len(numbers)


USERS = ("Lambda", "Multiplicative", "own", "function", "coupled", "lambda", "multiplicative", "scale_fn")


@for_each("name", ALL)
def test_a_scheduler_calls_a_users_function_where_one_was_given(name):
    given = any(word in name for word in USERS) or name.startswith("concatenation of concatenations")
    assert calls_user_code(ALL[name]().scheduler) == given


def test_functions_are_found_wherever_they_are():
    assert calls_user_code(Sawtooth(1.0, 3))
    for function in (rounded, fifth_root, random.random, torch.nn.init.uniform_, np.random.rand, len):
        assert calls_user_code(ParamScheduler(make_optimizer(), "lr", schedule=function))
    chosen = StepScheduler(make_optimizer(2), "lr", 3, param_group_index=lambda group: True)
    assert calls_user_code(chosen)
