"""The cost of simulating a cosine: ``simulate`` beside NumPy, ``simulate_values`` beside ignite's."""

import numpy as np
import pytest
from contenders import COSINE, CYCLE, KINDS, ignite, optimizer_of
from interleaving import Contender, interleaved, of_size

import lehr.handlers as lehr


def formula(num_events):
    """The values of all events as one NumPy expression."""
    low, high = COSINE["end_value"], COSINE["start_value"]
    events = np.arange(num_events, dtype=np.float64)
    return high + (low - high) * (1 - np.cos(np.pi * (events % CYCLE / CYCLE))) / 2


def simulated(num_events):
    scheduler = KINDS["cosine"]["lehr"](optimizer_of(1))
    return Contender(scheduler.simulate, (num_events,), per=num_events)


@pytest.mark.parametrize("power", range(3, 8))
def test_simulate(side_by_side, power):
    events = 10**power
    np.testing.assert_allclose(simulated(CYCLE * 3).call(CYCLE * 3)[:, 0], formula(CYCLE * 3), rtol=1e-12)
    contenders = {"lehr": simulated(events), "NumPy formula": Contender(formula, (events,), per=events)}
    targets = {"NumPy formula": 1.3} if power == 6 else None
    side_by_side(f"simulate, {events:,} events", contenders, targets)


# ignite needs seconds for a million; lehr's ten million lists are 1.4 GB, and take seconds too.
@pytest.mark.parametrize("power", range(3, 8))
def test_simulate_values(side_by_side, power):
    events = 10**power

    def values(cls):
        return Contender(lambda: cls.simulate_values(events, param_name="lr", **COSINE), per=events)

    contenders = {"lehr": values(lehr.CosineAnnealingScheduler)}
    if power < 7:
        contenders["ignite"] = values(ignite.CosineAnnealingScheduler)
    targets = {"ignite": 0.12} if power == 6 else None
    side_by_side(f"simulate_values, {events:,} events", contenders, targets, rounds={6: 3, 7: 1}.get(power))


def test_growth_of_simulate(benchmark, add_growth):
    contenders = {("lehr", events): simulated(events) for events in (10**4, 10**6)}
    contenders |= {("NumPy formula", events): Contender(formula, (events,), per=events) for events in (10**4, 10**6)}
    measured = interleaved(benchmark, contenders)
    add_growth("simulate, for each event: 1,000,000 over 10,000", of_size(measured, 10**6), of_size(measured, 10**4))


def test_simulate_values_of_a_concatenation(side_by_side):
    def rows(library, cls):
        optimizer = optimizer_of(1)
        members = [KINDS["cosine"][library](optimizer) for _ in range(2)]
        return Contender(lambda: cls.simulate_values(1000, schedulers=members, durations=[500], param_names=["lr"]))

    contenders = {"lehr": rows("lehr", lehr.ConcatScheduler), "ignite": rows("ignite", ignite.ConcatScheduler)}
    side_by_side("simulate_values of a concatenation, 1,000 events", contenders, {"ignite": 0.5})
