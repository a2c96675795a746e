"""Several ranks whose schedules are to be the same, also where their metrics are not.

Run as ``python -m rank_program FOLDER RANKS``. It starts a process for each rank: the processes meet in the folder, and
leave there what each of them has written, event by event. Nothing is compared here.
"""

import gc
import itertools
import json
import os
import random
import sys
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from optimizers import make_optimizer, values_of
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lehr.engine import OptimizerEvents
from lehr.handlers import (
    BaseParamScheduler,
    Clock,
    ConcatScheduler,
    ConstantScheduler,
    DriftCheck,
    LRScheduler,
    MetricScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    PhaseScheduler,
    PiecewiseLinear,
    ReduceOnPlateauScheduler,
    SampleClock,
    TimeClock,
    TokenClock,
)
from lehr.handlers.core.metrics.metric_feed import REDUCTIONS, reduced_metric
from lehr.handlers.schedules import Anneal, Constant, Plateau, Product

EVENTS = 24
BAD_EVENT = 7  # at which one of the ranks has no metric, or one that is none

# Schedulers of an optimizer's learning rate, attached to a trainer; the metric stands there after each iteration.
Case = Callable[[torch.optim.Optimizer, Engine, str], BaseParamScheduler]


def one_cycle(optimizer, trainer, reduction):
    scheduler = OneCycleScheduler(optimizer, "lr", 0.7, total_steps=EVENTS, save_history=True)
    scheduler.attach(trainer)
    return scheduler


def plateau(**policies: str) -> Case:
    def make(optimizer, trainer, reduction):
        scheduler = ReduceOnPlateauScheduler(
            optimizer, "lr", "loss", factor=0.7, patience=1, save_history=True, reduction=reduction, **policies
        )
        scheduler.attach(trainer, Events.ITERATION_COMPLETED)
        return scheduler

    return make


def inside_another(optimizer, trainer, reduction):
    schedule = Product([Anneal(0.6, 0.1, EVENTS), Plateau(factor=0.7, patience=1)])
    scheduler = MetricScheduler(optimizer, "lr", "loss", schedule, save_history=True, reduction=reduction)
    scheduler.attach(trainer)
    return scheduler


def after_warmup(optimizer, trainer, reduction):
    warmup = PiecewiseLinear(optimizer, "lr", [(0, 0.0), (5, 0.6)])
    main = ReduceOnPlateauScheduler(
        optimizer, "lr", "loss", factor=0.7, patience=1, initial_value=0.6, reduction=reduction
    )
    trainer.add_event_handler(Events.ITERATION_COMPLETED, main.observe)
    scheduler = ConcatScheduler([warmup, main], [5], save_history=True)
    scheduler.attach(trainer)
    return scheduler


def torch_plateau(optimizer, trainer, reduction):
    wrapped = ReduceLROnPlateau(optimizer, factor=0.7, patience=1)
    scheduler = LRScheduler(wrapped, save_history=True, reduction=reduction)
    scheduler.attach(trainer)
    return scheduler


def phases(optimizer, trainer, reduction):
    parts = [Constant(0.6), Anneal(1.0, 0.5, 6), Anneal(1.0, 0.0, 12)]
    scheduler = PhaseScheduler(optimizer, "lr", parts, save_history=True, flat=Plateau(patience=1), reduction=reduction)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, scheduler.observe)
    scheduler.attach(trainer)
    return scheduler


DRIVEN: dict[str, Case] = {
    "plateau": plateau(),
    "plateau that passes over": plateau(nan_policy="ignore", missing_policy="ignore"),
    "plateau that refuses": plateau(nan_policy="raise"),
    "plateau in another schedule": inside_another,
    "plateau after a warm-up": after_warmup,
    "plateau of torch": torch_plateau,
    "phases": phases,
}
CASES: dict[str, Case] = {"one cycle": one_cycle, **DRIVEN}

# What stands for the metric of one rank at one event: nothing, and what is no number, or none that can be compared.
TROUBLES = {"missing": None, "text": "low", "huge": 10**400, "nan": float("nan")}
# Whose metric it is, and whether that is the metric which counts.
CULPRITS = [("mean", -1), ("max", 0), ("rank0", 0), ("rank0", -1)]
TROUBLED = [(case, trouble, *culprit) for case in DRIVEN for trouble in TROUBLES for culprit in CULPRITS]


def troubled_on(ranks: int) -> list[tuple[str, str, str, int]]:
    """What is tried on so many ranks: all on four, which is a proof, and a third of it on two."""
    return TROUBLED if ranks > 2 else TROUBLED[:4] + TROUBLED[4::3]


def metrics_of(ranks: int) -> list[list[Any]]:
    """The metrics of each rank: down and then level, by jumps of 1/64, so that the sum of any of them is exact."""
    drawn = random.Random(6)
    return [[max(2.0, 4 - event / 4) + drawn.randrange(-48, 49) / 64 for event in range(EVENTS)] for _ in range(ranks)]


def troubled_metrics_of(ranks: int, trouble: str, culprit: int) -> list[list[Any]]:
    """The same, but for one event of one rank."""
    metrics = metrics_of(ranks)
    metrics[culprit][BAD_EVENT] = TROUBLES[trouble]
    return [own[: BAD_EVENT + 7] for own in metrics]


def awkward_metrics_of(ranks: int) -> list[list[float]]:
    """Metrics whose sum depends on the order in which they are added."""
    drawn = random.Random(7)
    return [[drawn.uniform(-1, 1) * 10.0 ** drawn.randrange(-8, 8) for _ in range(50)] for _ in range(ranks)]


def put_metric(engine: Engine, metric: Any) -> None:
    """Be an iteration that comes to this metric, or to none."""
    engine.state.metrics.pop("loss", None)
    if metric is not None:
        engine.state.metrics["loss"] = metric


def run(case: str, metrics: list[Any], reduction: str = "mean", drift_check: bool = True) -> dict[str, Any]:
    """What a scheduler writes and remembers in a run with these metrics."""
    optimizer, trainer = make_optimizer(), Engine(put_metric)
    scheduler = CASES[case](optimizer, trainer, reduction)
    values: list[str] = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: values.append(values_of(optimizer)[0].hex()))
    if drift_check:
        trainer.add_event_handler(Events.ITERATION_COMPLETED(every=6), DriftCheck([scheduler]))
    error = error_of(lambda: trainer.run(metrics))
    history = {name: column[:] for name, column in trainer.state.param_history.items()}
    state = None if error else scheduler.state_dict()
    # What is given to the next event is saved as this rank has it.
    pending = state.pop("metric", None) if state else None
    return {"values": values, "history": history, "state": state, "pending": pending, "error": error}


def error_of(call: Callable[[], Any]) -> list[str] | None:
    """The error that a call ends with, as plain data."""
    try:
        call()
    except Exception as error:
        return [type(error).__name__, str(error)]
    return None


def drifted(what: str, rank: int, ranks: int) -> dict[str, Any]:
    """What the check says when something is otherwise on the last rank, and before that."""
    optimizer, other = make_optimizer(), make_optimizer()
    lr = OneCycleScheduler(optimizer, "lr", 0.7, total_steps=EVENTS)
    momentum = ReduceOnPlateauScheduler(other, "momentum", "loss")
    both = ParamGroupScheduler([OneCycleScheduler(other, "lr", 0.7, total_steps=EVENTS)])
    check = DriftCheck([lr, both, momentum])
    for _ in range(4):
        lr(None)
        both(None)
        momentum(None)
    before = error_of(check)
    if rank == ranks - 1:
        if what == "lr":
            optimizer.param_groups[0]["lr"] = 0.125
        elif what == "lr of a group":
            other.param_groups[0]["lr"] = 0.125
        elif what == "momentum":
            other.param_groups[0]["momentum"] = 0.125
        elif what == "best":
            momentum.schedule.observe(0.125)
        elif what == "event":
            lr.seek(9)
    return {"before": before, "after": error_of(check), "held": values_of(optimizer)[0]}


def counted(rank: int, ranks: int) -> list[str] | None:
    """What the check says when the last rank has one scheduler more."""
    optimizer = make_optimizer()
    schedulers = [OneCycleScheduler(optimizer, name, 0.7, total_steps=EVENTS) for name in ("lr", "momentum")]
    return error_of(DriftCheck(schedulers if rank == ranks - 1 else schedulers[:1]))


DRIFTS = ("lr", "lr of a group", "momentum", "best", "event")


def reduced_here(reduction: str, metrics: list[float]) -> list[str]:
    """What each metric comes to on this rank."""
    return [reduced_metric(metric, reduction).hex() for metric in metrics]


def lengths_of(rank: int) -> list[int]:
    """The tokens in each batch of a rank; the last batches of some ranks are empty."""
    drawn = random.Random(f"tokens of rank {rank}")
    return [0 if event > EVENTS - 1 - rank else drawn.randrange(1, 4000) for event in range(EVENTS)]


# A clock of each kind, given the engine; the batch of rank r is a tensor of as many tokens as it has.
CLOCKS: dict[str, Callable[[Engine, int], Clock]] = {
    "tokens": lambda engine, rank: TokenClock(lambda engine: len(engine.state.batch)),
    "tokens in a tensor": lambda engine, rank: TokenClock(lambda engine: engine.state.batch.sum()),
    "tokens, lag 3": lambda engine, rank: TokenClock(lambda engine: engine.state.batch.sum(), lag=3),
    "samples": lambda engine, rank: SampleClock(),
    "time": lambda engine, rank: TimeClock(now=lambda: (1 + rank) * engine.state.iteration / 8),
}
BAD_CLOCKS = {
    "a negative reading": lambda engine: -1,
    "no number": lambda engine: "many",
    "an error": lambda engine: engine.state.batch["tokens"],
}


def clocked(clock: str, rank: int, accumulated: int = 1, bad: Any = None) -> dict[str, Any]:
    """What a scheduler with a clock writes and counts, where the batches of each rank have other lengths."""
    optimizer, values = make_optimizer(), []

    def train(engine: Engine, batch: Any) -> None:
        if engine.state.iteration % accumulated == 0:
            optimizer.step()
            values.append(values_of(optimizer)[0].hex())

    trainer = Engine(train)
    trainer.logger.disabled = bad is not None
    scheduler = OneCycleScheduler(optimizer, "lr", 0.7, total_steps=200_000, save_history=True)
    event = Events.ITERATION_STARTED if accumulated == 1 else OptimizerEvents.STEP_STARTED
    made = CLOCKS[clock](trainer, rank)
    if bad is not None:
        made = TokenClock(lambda engine: bad(engine) if engine.state.iteration == BAD_EVENT else 7)
    scheduler.attach(trainer, event, clock=made)
    trainer.add_event_handler(Events.ITERATION_COMPLETED(every=accumulated), DriftCheck([scheduler]))
    error = error_of(lambda: trainer.run([torch.ones(length, dtype=torch.int64) for length in lengths_of(rank)]))
    return {"values": values, "state": scheduler.state_dict(), "error": error}


def landed(rank: int) -> dict[str, Any]:
    """What a scheduler writes that lands by the time of rank 0; other ranks have slower clocks."""
    optimizer, values = make_optimizer(), []
    trainer = Engine(lambda engine, batch: values.append(values_of(optimizer)[0].hex()))
    scheduler = ConstantScheduler(optimizer, "lr", 0.7)
    steps = random.Random(8)
    times = list(itertools.accumulate((steps.uniform(0.5, 1.5) for _ in range(1000)), initial=0.0))
    clock = TimeClock(budget=100, now=lambda: times[trainer.state.iteration] / (1 + rank))
    scheduler.attach(trainer, clock=clock)
    trainer.add_event_handler(Events.ITERATION_COMPLETED(every=10), DriftCheck([scheduler]))
    trainer.run([0] * 400)
    return {"values": values, "state": scheduler.state_dict()}


def report_of(rank: int, ranks: int) -> dict[str, Any]:
    """All that a rank has to tell, by what it is about."""
    assert (idist.get_rank(), idist.get_world_size(), idist.backend()) == (rank, ranks, "gloo")
    metrics = metrics_of(ranks)[rank]
    report: dict[str, Any] = {"pid": os.getpid()}
    for case in CASES:
        for reduction in REDUCTIONS:
            report[f"{case}, {reduction}"] = run(case, metrics, reduction, drift_check=reduction != "none")
    for case in DRIVEN:
        report[f"{case}, checked"] = run(case, metrics, "none")
    for case, trouble, reduction, culprit in troubled_on(ranks):
        own = troubled_metrics_of(ranks, trouble, culprit)[rank]
        report[f"{case}, {trouble}, {reduction} {culprit}"] = run(case, own, reduction, drift_check=False)
    for reduction in REDUCTIONS:
        report[f"awkward, {reduction}"] = reduced_here(reduction, awkward_metrics_of(ranks)[rank])
    for clock in CLOCKS:
        for accumulated in (1, 3):
            report[f"{clock}, {accumulated}"] = clocked(clock, rank, accumulated)
    for name, bad in BAD_CLOCKS.items():
        report[name] = clocked("tokens", rank, bad=bad if rank == ranks - 1 else lambda engine: 7)
    report["landed"] = landed(rank)
    report["drift of the number"] = counted(rank, ranks)
    for what in DRIFTS:
        report[f"drift of {what}"] = drifted(what, rank, ranks)
    return report


def main(folder: Path, rank: int, ranks: int) -> None:
    """Meet the others, and report."""
    torch.set_num_threads(1)
    # A file instead of a port, which may be taken. Who waits for a rank that does not come is to fail at last.
    meeting_point, patience = f"file://{folder}/meeting-point", timedelta(seconds=60)
    idist.initialize("gloo", init_method=meeting_point, rank=rank, world_size=ranks, timeout=patience)
    (folder / f"report-{rank}.json").write_text(json.dumps(report_of(rank, ranks)))
    gc.collect()  # a model that is still there keeps gloo's threads, which can abort a process as Python ends
    idist.finalize()


if __name__ == "__main__":
    own_folder, number = Path(sys.argv[1]), int(sys.argv[2])
    for own_rank in range(number):
        if not os.fork():  # what has been imported takes no time again
            warnings.simplefilter("error")
            main(own_folder, own_rank, number)
            sys.exit()
    for _ in range(number):
        if os.wait()[1]:
            sys.exit(1)
