"""Schedules on several ranks: real processes that meet by gloo, and the example under both of its launchers.

Each group of processes is started once, and tells what every rank of it has done; ``rank_program.py`` is what they run.
What a rank has to do is found here, in one process, from the metrics of all ranks.
"""

import csv
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import rank_program
import torch
from optimizers import make_optimizer
from rank_program import CASES, DRIFTS, DRIVEN, TROUBLES, awkward_metrics_of, metrics_of

from lehr.handlers import CosineDecayScheduler, OneCycleScheduler, create_lr_scheduler_with_warmup
from lehr.handlers.core.rank_drift_check import _lines, _shown

HELPERS = Path(__file__).resolve().parent.parent / "helpers"
REDUCED = ("mean", "min", "max", "rank0")
each_case = pytest.mark.parametrize("case", CASES)
each_driven = pytest.mark.parametrize("case", DRIVEN)


def run_together(commands: Sequence[Sequence[str]], folder: Path, patience: float = 200) -> list[str]:
    """What Python processes print that run at the same time; all are ended when one fails, or time is up."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HELPERS), *filter(None, sys.path)]),
        "PYTHONWARNINGS": "error::UserWarning",  # lehr's own, in the processes that these start too
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
    }
    logs = [folder / f"log-{time.monotonic_ns()}-{at}" for at in range(len(commands))]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command, log in zip(commands, logs, strict=True):
            with log.open("wb") as file:
                started.append(
                    subprocess.Popen(
                        [sys.executable, *command],
                        cwd=folder,
                        env=environment,
                        stdout=file,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,  # a process group, so that it is ended with those that it starts
                    )
                )
        end = time.monotonic() + patience
        while any(process.poll() is None for process in started):
            assert time.monotonic() < end, "out of time:\n" + "\n".join(log.read_text()[-3000:] for log in logs)
            if any(process.poll() for process in started):
                end = min(end, time.monotonic() + 10)  # the others are told by gloo
            time.sleep(0.05)
    finally:
        for kill in (signal.SIGTERM, signal.SIGKILL):  # torchrun passes the first one on
            for process in started:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, kill)
            with suppress(subprocess.TimeoutExpired):
                for process in started:
                    process.wait(timeout=20)
    printed = [log.read_text() for log in logs]
    assert [process.returncode for process in started] == [0] * len(started), "\n".join(printed)[-6000:]
    return printed


@pytest.fixture(scope="module", params=[2, pytest.param(4, marks=pytest.mark.proof)], ids=["2 ranks", "4 ranks"])
def told(request, tmp_path_factory):
    """What each rank of a group tells."""
    folder, ranks = tmp_path_factory.mktemp(f"ranks-{request.param}"), range(request.param)
    run_together([["-m", "rank_program", str(folder), str(len(ranks))]], folder)
    return [json.loads((folder / f"report-{rank}.json").read_text()) for rank in ranks]


def plain(thing):
    return json.loads(json.dumps(thing))


def run_here(case, metrics):
    """What one process does, without what it saves for itself alone."""
    return without_pending(plain(rank_program.run(case, metrics)))


def without_pending(done):
    return {key: value for key, value in done.items() if key != "pending"}


def reduced(metrics, reduction):
    """One metric for each event, of those of all ranks: a bad one if there is any that counts."""
    counted = metrics[:1] if reduction == "rank0" else metrics
    made = {"mean": lambda own: sum(own) / len(own), "min": min, "max": max, "rank0": min}[reduction]
    return [bad[0] if (bad := list(filter(is_bad, own))) else made(own) for own in zip(*counted, strict=True)]


def is_bad(metric):
    return not isinstance(metric, float) or math.isnan(metric)


def test_each_rank_is_a_process_of_its_own(told):
    assert len({report["pid"] for report in told} | {os.getpid()}) == len(told) + 1


@each_case
@pytest.mark.parametrize("reduction", REDUCED)
def test_each_rank_does_bit_for_bit_what_one_process_does_with_the_reduced_metrics(told, case, reduction):
    expected = run_here(case, reduced(metrics_of(len(told)), reduction))
    assert len(set(expected["values"])) >= 3
    assert expected["history"]["lr"] == [[float.fromhex(value)] for value in expected["values"]]
    for report in told:
        assert without_pending(report[f"{case}, {reduction}"]) == expected


@each_driven
def test_reductions_give_different_schedules(told, case):
    assert len({str(told[0][f"{case}, {reduction}"]["values"]) for reduction in REDUCED}) >= 3


@each_driven
def test_without_a_reduction_each_rank_follows_its_own_metrics_and_they_drift_apart(told, case):
    for report, own in zip(told, metrics_of(len(told)), strict=True):
        assert without_pending(report[f"{case}, none"]) == run_here(case, own)
    assert len({str(report[f"{case}, none"]["values"]) for report in told}) == len(told)


@each_driven
def test_drift_is_an_error_on_every_rank_that_names_the_value_of_each(told, case):
    errors = [report[f"{case}, checked"]["error"] for report in told]
    assert errors == [errors[0]] * len(told)
    kind, message = errors[0]
    assert kind == "RuntimeError"
    assert message.startswith("schedulers must be the same on all ranks, but differ:\n")
    lines = message.splitlines()[1:]
    assert len(lines) == len(set(lines)) == len(told)
    for rank, (line, report) in enumerate(zip(lines, told, strict=True)):
        value = float.fromhex(report[f"{case}, checked"]["values"][-1])
        assert line.startswith(f"  rank {rank}: 'lr' at event 6 with [{value}]; progress ")


def test_a_metric_that_is_saved_before_it_is_read_is_that_of_each_rank(told):
    for report, own in zip(told, metrics_of(len(told)), strict=True):
        assert report["plateau in another schedule, mean"]["pending"] == [own[-1]]


@each_driven
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_metric_that_is_bad_on_one_rank_has_the_same_effect_on_all(told, case, trouble):
    refused = trouble in ("text", "huge") or case == "plateau that refuses"
    refused |= trouble == "missing" and case != "plateau that passes over"
    for its_case, its_trouble, reduction, culprit in rank_program.troubled_on(len(told)):
        if (its_case, its_trouble) == (case, trouble):
            metrics = reduced(rank_program.troubled_metrics_of(len(told), trouble, culprit), reduction)
            # An int that is too large is no number either, which several ranks say in those words.
            expected = run_here(
                case, [TROUBLES["text"] if metric == TROUBLES["huge"] else metric for metric in metrics]
            )
            error = expected.pop("error")
            assert (error is not None) == (refused and any(map(is_bad, metrics)))
            done = [without_pending(report[f"{case}, {trouble}, {reduction} {culprit}"]) for report in told]
            errors = [own.pop("error") for own in done]
            assert done == [expected] * len(told)
            # The words may differ, since they say what a rank has itself.
            assert {own and beginning_of(own) for own in errors} == {error and beginning_of(error)}


def beginning_of(error):
    kind, message = error
    return kind, message[:26]


@pytest.mark.parametrize("reduction", REDUCED)
def test_any_metrics_are_reduced_to_the_same_bits_on_all_ranks(told, reduction):
    come_to = [report[f"awkward, {reduction}"] for report in told]
    assert come_to == [come_to[0]] * len(told)
    metrics = awkward_metrics_of(len(told))
    found = [float.fromhex(metric) for metric in come_to[0]]
    if reduction == "mean":
        exact = [math.fsum(together) / len(told) for together in zip(*metrics, strict=True)]
        largest = [max(map(abs, together)) for together in zip(*metrics, strict=True)]
        for mean, exactly, scale in zip(found, exact, largest, strict=True):
            assert abs(mean - exactly) <= 4 * math.ulp(scale)
    else:
        assert found == reduced(metrics, reduction)


@pytest.mark.parametrize("what", DRIFTS)
def test_the_check_is_silent_until_something_differs_on_one_rank(told, what):
    reports = [report[f"drift of {what}"] for report in told]
    assert [report["before"] for report in reports] == [None] * len(told)
    errors = [report["after"] for report in reports]
    assert errors == [errors[0]] * len(told)
    kind, message = errors[0]
    assert kind == "RuntimeError"
    _, *others, last = message.splitlines()
    held = reports[0]["held"]
    parameter, odd = {
        "lr": ("lr", "at event 4 with [0.125]"),
        "lr of a group": ("lr", "at event 4 with [0.125]"),
        "momentum": ("momentum", "at event 4 with [0.125]"),
        "best": ("momentum", "at event 4 with [0.9]; progress [{'values': [0.9], 'best': 0.125,"),
        "event": ("lr", f"at event 9 with [{held}]"),
    }[what]
    assert last.startswith(f"  rank {len(told) - 1}: {parameter!r} {odd}")
    for rank, line in enumerate(others):
        value = 0.9 if parameter == "momentum" else held
        assert line.startswith(f"  rank {rank}: {parameter!r} at event 4 with [{value}]")
        assert line.count("at event") == 1  # only the one that differs


def test_the_check_says_which_rank_has_another_number_of_schedulers(told):
    kind, message = told[0]["drift of the number"]
    assert [report["drift of the number"] for report in told] == [[kind, message]] * len(told)
    assert kind == "RuntimeError"
    _, *others, last = message.splitlines()
    assert others == [f"  rank {rank}: 1 scheduler: OneCycleScheduler of 'lr'" for rank in range(len(told) - 1)]
    assert last == (f"  rank {len(told) - 1}: 2 schedulers: OneCycleScheduler of 'lr', OneCycleScheduler of 'momentum'")


def test_a_missing_metric_says_on_which_rank(told):
    for reduction, culprit in (("mean", len(told) - 1), ("rank0", 0)):
        for rank, report in enumerate(told):
            found = report[f"plateau, missing, {reduction} {-1 if culprit else 0}"]["error"]
            here = "[]" if rank == culprit else "on every rank"
            assert found == [
                "ValueError",
                f"metric_name must be one of the metrics of the engine that fires the event, {here}, "
                f"given 'loss'; it is missing on rank {culprit}",
            ]


def test_the_check_groups_many_ranks():
    states = [[{"scheduler": "A", "param_name": "lr", "event_index": 3, "held": [0.1]}] for _ in range(64)]
    states[7][0]["held"] = [0.2]
    lines = _lines(_shown(states))
    assert lines[1] == "  rank 7: 'lr' at event 3 with [0.2]"
    assert lines[0].startswith("  ranks 0, 1, 2, ")
    assert lines[0].endswith(": 'lr' at event 3 with [0.1]")
    for rank in range(64):
        states[rank][0]["held"] = [float(rank)] * 1000
    assert len("\n".join(_lines(_shown(states)))) < 430


# Clocks.


@pytest.mark.parametrize("accumulated", [1, 3])
@pytest.mark.parametrize("clock", rank_program.CLOCKS)
def test_all_ranks_count_the_same_where_their_batches_differ(told, clock, accumulated):
    own = [report[f"{clock}, {accumulated}"] for report in told]
    assert own == [own[0]] * len(told)
    assert own[0]["error"] is None
    batches = [sum(lengths) for lengths in zip(*map(rank_program.lengths_of, range(len(told))), strict=True)]
    if clock == "time":
        batches = [125] * rank_program.EVENTS  # the time of rank 0
    lag = 3 if "lag" in clock else 0
    optimizer = make_optimizer()
    scheduler = OneCycleScheduler(optimizer, "lr", 0.7, total_steps=200_000)
    table = scheduler.simulate(sum(batches) + 1)[:, 0]
    before = [sum(batches[: max(at - lag, 0)]) for at in range(len(batches))]
    if accumulated > 1:  # what the steps before have trained on, but for the last readings of a lag
        before = [max(sum(batches[: max(at - lag, 0)]), 0) for at in range(0, len(batches), accumulated)]
    if clock == "time":
        before = [125 * (at + 1) for at in range(accumulated - 1, len(batches), accumulated)]
    assert own[0]["values"] == [float(table[count]).hex() for count in before]
    assert len(set(own[0]["values"])) > 5


@pytest.mark.parametrize("bad", rank_program.BAD_CLOCKS)
def test_a_bad_reading_on_one_rank_is_an_error_on_all_at_the_same_event(told, bad):
    own = [report[bad] for report in told]
    assert [(one["values"], one["state"]) for one in own] == [(own[0]["values"], own[0]["state"])] * len(told)
    assert len(own[0]["values"]) == rank_program.BAD_EVENT - 1
    for report in own[:-1]:
        assert report["error"][0] == "RuntimeError"
        assert report["error"][1].endswith(f"on all ranks, but it is not on 1 of {len(told)} ranks")
    assert own[-1]["error"][0] in ("ValueError", "TypeError", "IndexError")


def test_all_ranks_land_by_the_time_of_rank_0(told):
    own = [report["landed"] for report in told]
    assert own == [own[0]] * len(told)
    values = [float.fromhex(value) for value in own[0]["values"]]
    assert values[0] == 0.7
    assert values[-1] == 0.0
    assert 80 < len(values) < 120


# The example.


def train(folder, ranks, *options, under="torchrun"):
    """Run the example on so many ranks; what it prints."""
    script = str(HELPERS.parent.parent / "examples" / "lesson09_distributed.py")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(ranks), script]
    command = launcher if under == "torchrun" else [script, "--nproc", str(ranks)]
    (printed,) = run_together([[*command, "--epochs", "4", "--output", "out", *options]], folder)
    return printed


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """A run on two ranks that is never stopped: its folder, and what it prints."""
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, train(folder, 2)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The same, stopped after two epochs, started by ignite."""
    folder = tmp_path_factory.mktemp("stopped")
    train(folder, 2, "--until", "2", under="ignite")
    return folder


def history_of(folder):
    """The columns of the history that a run has written."""
    with open(folder / "out" / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows if row[name]] for name in ("lr", "weight_decay")}


def accuracy_of(printed):
    accuracies = re.findall(r"^test accuracy: (\d\.\d{4})$", printed, re.M)
    assert len(accuracies) == 1, printed  # rank 0 alone has printed it
    return float(accuracies[0])


@pytest.mark.proof
def test_the_example_learns_under_torchrun_and_keeps_to_its_plan(unbroken):
    folder, printed = unbroken
    assert accuracy_of(printed) > 0.95
    assert re.findall(r"^epoch (\d):", printed, re.M) == ["1", "2", "3", "4"]
    history, steps = history_of(folder), 21
    optimizer = make_optimizer(lr=0.1)
    decay = CosineDecayScheduler(optimizer, "lr", 3 * steps, end_value=0.1 / 1000)
    planned = create_lr_scheduler_with_warmup(decay, 0.0, steps).simulate(4 * steps)
    assert history["lr"] == planned[:, 0].tolist()
    assert len(history["weight_decay"]) == 4
    assert len(list((folder / "out" / "checkpoints").glob("*.pt"))) == 2


@pytest.mark.proof
@pytest.mark.parametrize(("ranks", "under"), [(2, "torchrun"), (4, "torchrun"), (1, "ignite")])
def test_the_example_goes_on_with_any_number_of_ranks(unbroken, stopped, tmp_path, ranks, under):
    shutil.copytree(stopped / "out", tmp_path / "out")
    printed = train(tmp_path, ranks, "--resume", under=under)
    assert re.findall(r"^epoch (\d):", printed, re.M) == ["3", "4"]
    assert accuracy_of(printed) > 0.95
    history, expected = history_of(tmp_path), history_of(unbroken[0])
    assert history["lr"] == expected["lr"]
    assert history["weight_decay"][:2] == expected["weight_decay"][:2]
    assert len(history["weight_decay"]) == 4
    if ranks == 2:
        assert history == expected
        ours, theirs = (newest_checkpoint(folder) for folder in (tmp_path, unbroken[0]))
        assert_same(ours, theirs)


def newest_checkpoint(folder):
    return torch.load(folder / "out" / "checkpoints" / "checkpoint_84.pt", weights_only=True)


def assert_same(ours, theirs, at="checkpoint"):
    """The same numbers, bit for bit."""
    assert type(ours) is type(theirs), at
    if isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs), at
    elif isinstance(ours, dict):
        assert list(ours) == list(theirs), at
        for key, own in ours.items():
            assert_same(own, theirs[key], f"{at}, {key}")
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), at
        for index, (own, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(own, other, f"{at}, {index}")
    else:
        assert ours == theirs, at
