"""The cost of seeking far or back where values depend on those before them, and of simulating a few events."""

import numpy as np
import pytest
from contenders import KINDS, optimizer_of, stepping
from interleaving import Contender, interleaved, of_size
from test_simulation import formula

import lehr.handlers as lehr
from lehr.handlers.schedules import Anneal, Approach, Cosine, CosineAnnealing, Recursion, Scaling, Turn
from lehr.handlers.schedules.ignite_cycles import _growing_cycles

FAR = 10**5


def one_event_back(make):
    """Write an event and then the one before it, again and again."""
    scheduler = make(optimizer_of(1))
    scheduler.seek(FAR)

    def back():
        scheduler.seek(FAR - 1)
        scheduler(None)

    def fresh():
        scheduler.seek(FAR)
        scheduler(None)
        return ()

    return Contender(back, fresh=fresh)


@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("MultiplicativeScheduler", lambda optimizer: lehr.MultiplicativeScheduler(optimizer, "lr", lambda event: 1.0)),
        ("LRScheduler", lambda optimizer: lehr.LRScheduler(stepping(KINDS["cosine"]["torch"], optimizer))),
    ],
)
def test_one_event_back(side_by_side, what, make):
    side_by_side(f"{what}, one event back at {FAR:,}", {"lehr": one_event_back(make)}, {"lehr": 0.01}, rounds=5)


@pytest.mark.parametrize("mult", [1.0001, 1.00001])
@pytest.mark.parametrize("event", [10**9, 10**15])
def test_growing_cycles(side_by_side, mult, event):
    def fresh():
        _growing_cycles.cache_clear()
        return CosineAnnealing(1.0, 0.0, 2 * 10**5, mult), event

    first = Contender(lambda schedule, index: schedule(index), fresh=fresh)
    side_by_side(f"first seek to {event:,} of cycle_mult={mult}", {"lehr": first}, {"lehr": 0.001}, rounds=5)


@pytest.mark.parametrize(("rules", "end_value"), [("rules", 0.0), ("rules with an end value", 0.01)])
def test_growth_of_overlapping_rules(benchmark, add_row, add_growth, rules, end_value):
    sizes = (10**4, 10**5, 10**6)

    def fresh(size):
        warmup = Turn(Scaling(Anneal(0.1, 1.0, size)), end=size)
        annealing = Turn(Approach(Anneal(1.0, 0.0, 2 * size, Cosine()), end_value, 1.0), end=2 * size)
        return Recursion(1.0, [warmup, annealing]), size

    contenders = {
        ("lehr", size): Contender(lambda schedule, index: schedule(index), fresh=lambda size=size: fresh(size))
        for size in sizes
    }
    measured = interleaved(benchmark, contenders, rounds=5)
    for size in sizes:
        add_row(f"overlapping {rules}, seek to {size:,}", of_size(measured, size), {"lehr": 0.01})
    more, less = (of_size(measured, size) for size in sizes[:0:-1])
    add_growth(f"overlapping {rules}, seek to 1,000,000 over 100,000", more, less)


@pytest.mark.parametrize(("num_events", "start"), [(1000, 0), (1, 10**9)])
def test_a_few_events(side_by_side, num_events, start):
    simulate = KINDS["cosine"]["lehr"](optimizer_of(1)).simulate
    contenders = {
        "lehr": Contender(simulate, (num_events, start)),
        "NumPy formula": Contender(formula, (num_events,)),
    }
    side_by_side(f"simulate({num_events:,}, start={start:,})", contenders, {"NumPy formula": 5})


@pytest.mark.parametrize(
    ("what", "make", "target"),
    [
        ("OneCycle", lambda optimizer: lehr.OneCycleScheduler(optimizer, "lr", 0.1, total_steps=10**6), 1.1),
        ("CosineRestart", lambda optimizer: lehr.CosineRestartScheduler(optimizer, "lr", 1000), 1.3),
    ],
)
def test_simulate_a_million(side_by_side, what, make, target):
    simulate = make(optimizer_of(1)).simulate
    assert np.isfinite(simulate(10)).all()
    contenders = {"lehr": Contender(simulate, (10**6,)), "NumPy formula": Contender(formula, (10**6,))}
    side_by_side(f"{what}, simulate 1,000,000 events", contenders, {"NumPy formula": target})
