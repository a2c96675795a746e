"""The memory of a recorded value, and the cost of recording, reading and saving after many events."""

import csv
import tracemalloc

import numpy as np
import pytest
import torch
from contenders import KINDS, event_of, optimizer_of
from ignite.engine import Engine
from interleaving import Contender, interleaved, of_size

import lehr.handlers as lehr
from lehr.engine import ParamHistory

FIRST, EVENTS = 1000, 100_000
RECORDED = 1_000_000
SIZES = (1000, 30_000, RECORDED)


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


def test_an_event_of_a_thinned_history(benchmark, add_row):
    contenders = {}
    for name, most in (("lehr", 1000), ("without max_events", None)):
        trainer = Engine(lambda engine, batch: None)
        trainer.state.param_history = ParamHistory(max_events=most)
        contenders[name] = event_of("lehr", KINDS["cosine"]["lehr"](optimizer_of(1), save_history=True), trainer)
        for _ in range(10_000):
            contenders[name].call(trainer)
    add_row("event with max_events", interleaved(benchmark, contenders), {"without max_events": 1.2})


def filled(events):
    """A history of drawn values of one group."""
    history = ParamHistory({"lr": []})
    history["lr"].appender(1, per_group=True)(np.random.default_rng(0).random(events).tolist())
    return history


@pytest.mark.parametrize("events", SIZES)
def test_a_csv(side_by_side, tmp_path, events):
    history = filled(events)
    rows = [[event, *row] for event, row in enumerate(history["lr"])]

    def by_csv_writer():
        with open(tmp_path / "peer.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)

    contenders = {
        "lehr": Contender(lambda: history.to_csv(tmp_path / "own.csv")),
        "csv.writer": Contender(by_csv_writer),
    }
    side_by_side(f"to_csv of {events:,} events", contenders, {"csv.writer": 1.1})


@pytest.mark.parametrize("events", SIZES)
def test_reading(benchmark, add_row, events):
    column = filled(events)["lr"]
    contenders = {
        "[-1]": Contender(lambda: column[-1]),
        "a value of a loop": Contender(lambda: [None for _ in column], per=events),
    }
    for what, measured in interleaved(benchmark, contenders).items():
        add_row(f"{what}, of {events:,} events", {"lehr": measured}, {"lehr": 0.3e-6 if what == "[-1]" else 0.5e-6})


@pytest.mark.parametrize("events", SIZES)
def test_saving_and_loading(benchmark, add_row, tmp_path, events):
    history, other, file = filled(events), ParamHistory(), tmp_path / "history.pt"

    def save_and_load():
        torch.save(history.state_dict(), file)
        other.load_state_dict(torch.load(file, weights_only=True))

    measured = interleaved(benchmark, {"lehr": Contender(save_and_load, per=events)})
    add_row(f"save and load a value of {events:,}", measured, {"lehr": 0.15e-6} if events == RECORDED else None)
    add_row(
        f"bytes of a value of {events:,} in a file", {"lehr": [file.stat().st_size / events]}, {"lehr": 11}, unit="B"
    )
