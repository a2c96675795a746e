"""The memory of a recorded value, and the cost of recording after many events."""

import tracemalloc

from contenders import KINDS, event_of, optimizer_of
from ignite.engine import Engine
from interleaving import interleaved, of_size

import lehr.handlers as lehr
from lehr.engine import ParamHistory

FIRST, EVENTS = 1000, 100_000
RECORDED = 1_000_000


def bytes_per_value(scheduler, groups):
    """The bytes of a value after the first ones, as Python's allocator counts them."""
    trainer = Engine(lambda engine, batch: None)
    tracemalloc.start()
    try:
        for _ in range(FIRST):
            scheduler(trainer)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(EVENTS):
            scheduler(trainer)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(trainer.state.param_history["lr"][-1]) == groups
    return (after - before) / (EVENTS * groups)


def test_memory_of_a_history(benchmark, add_row):
    schedulers = [KINDS["cosine"][library](optimizer_of(1), save_history=True) for library in ("lehr", "ignite")]
    both = benchmark.pedantic(lambda: [bytes_per_value(scheduler, 1) for scheduler in schedulers], rounds=1)
    measured = {library: [one] for library, one in zip(("lehr", "ignite"), both, strict=True)}
    add_row("memory of a value, 1 group", measured, {"lehr": 9}, unit="B")


def test_memory_of_a_history_of_own_values(benchmark, add_row):
    groups = 10
    ours = lehr.OneCycleScheduler(
        optimizer_of(groups),
        "lr",
        [0.1 * (1 + group) for group in range(groups)],
        total_steps=EVENTS,
        save_history=True,
    )
    measured = benchmark.pedantic(bytes_per_value, args=(ours, groups), rounds=1)
    add_row(f"memory of a value, {groups} groups with own values", {"lehr": [measured]}, {"lehr": 9}, unit="B")


def test_growth_of_recording(benchmark, add_growth):
    contenders = {}
    for library in ("lehr", "ignite"):
        for size in (0, RECORDED):
            trainer = Engine(lambda engine, batch: None)
            rows = [[0.1] for _ in range(size)]
            trainer.state.param_history = ParamHistory({"lr": rows}) if library == "lehr" else {"lr": rows}
            scheduler = KINDS["cosine"][library](optimizer_of(1), save_history=True)
            contenders[library, size] = event_of(library, scheduler, trainer)
    measured = interleaved(benchmark, contenders)
    add_growth(
        f"event with history: after {RECORDED:,} events over none", of_size(measured, RECORDED), of_size(measured, 0)
    )
