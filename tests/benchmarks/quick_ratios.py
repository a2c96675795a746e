"""The cost of every kind of event beside its nearest peer, in one table and less than a minute.

``python tests/benchmarks/quick_ratios.py [WORD ...]`` measures the rows whose names contain a word, or all of them. The
contenders of a row run in rounds in one process. A ratio is taken within each round, and the table shows the medians of
the CPU time of the thread. ``make bench`` measures the same rows for longer. This file imports none of the tests.
"""

import gc
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, repeat
from statistics import median
from time import perf_counter, thread_time_ns
from typing import Any, NamedTuple

import torch
from ignite import handlers as ignite
from ignite.engine import Engine, Events
from torch.optim import lr_scheduler as in_torch
from torch.utils.data import DataLoader

import lehr.handlers as lehr
from lehr.handlers.schedules import Anneal, Constant, Plateau

SECONDS_PER_ROW, SLICE_NS = 0.6, 2_000_000
FEWEST, MOST = 5, 100  # rounds
LARGEST_BLOCK = 8192  # events: lehr computes the values of at most so many at once
PARAMS = ("lr", "momentum", "weight_decay", "dampening")
COSINE = {"start_value": 0.1, "end_value": 0.001, "cycle_size": 1000}
BOTH = {"lehr": lehr, "ignite": ignite}
SIZES = (1, 10, 200)


class Timed(NamedTuple):
    """A call to time.

    Args:
        call: the call.
        arguments: what it is called with.
        fresh: makes the arguments of each call while the clock stands still.
    """

    call: Callable[..., Any]
    arguments: Sequence[Any] = ()
    fresh: Callable[[], Sequence[Any]] | None = None


class Row(NamedTuple):
    """A row of the table.

    Args:
        what: its name.
        contenders: makes the calls by name, lehr first, its peer second.
        aim: the highest ratio to the peer to reach; without a peer, the highest time in µs.
    """

    what: str
    contenders: Callable[[], dict[str, Timed]]
    aim: float | None = None


def counted(number: int) -> str:
    """So many groups, in words."""
    return f"{number} group{'s' * (number > 1)}"


def optimizer_of(groups: int, lr: Callable[[], Any] = lambda: 0.1) -> torch.optim.Optimizer:
    """An optimizer of so many param groups."""
    params = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr()} for _ in range(groups)]
    return torch.optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.0, dampening=0.0)


def engine_with_loss() -> Engine:
    """An engine whose metric no longer improves."""
    engine = Engine(lambda engine, batch: None)
    engine.state.metrics = {"loss": 1.0}
    return engine


def cosine(library: Any, groups: int = 1, name: str = "lr", **more: Any) -> Any:
    """The same cosine of lehr or ignite."""
    optimizer = more.pop("optimizer", None) or optimizer_of(groups)
    return library.CosineAnnealingScheduler(optimizer, name, **COSINE, **more)


def of_torch(make: Callable[[Any], Any], groups: int) -> Any:
    """A scheduler of torch after one step of its optimizer, without which torch warns."""
    optimizer = optimizer_of(groups)
    scheduler = make(optimizer)
    optimizer.step()
    return scheduler


def in_both(make: Callable[[Any], Any], *arguments: Any) -> Callable[[], dict[str, Timed]]:
    """An event of the same scheduler of lehr and of ignite."""
    return lambda: {name: Timed(make(library), arguments or (None,)) for name, library in BOTH.items()}


def beside_torch(
    ours: Callable[[Any], Any], theirs: Callable[[Any], Any], groups: int
) -> Callable[[], dict[str, Timed]]:
    """An event of a scheduler of lehr, and a step of torch's."""
    return lambda: {
        "lehr": Timed(ours(optimizer_of(groups)), (None,)),
        "torch": Timed(of_torch(theirs, groups).step),
    }


def plain_events() -> Iterator[Row]:
    """One value for some or all param groups."""
    in_torchs_hands = lambda optimizer: in_torch.CosineAnnealingLR(optimizer, 1000, eta_min=0.001)  # noqa: E731
    yield Row("event, 1 group", in_both(cosine), 0.30)
    yield Row(
        "event, 1 group, beside torch",
        beside_torch(lambda optimizer: cosine(lehr, optimizer=optimizer), in_torchs_hands, 1),
        0.12,
    )
    engines = [Engine(lambda engine, batch: None) for _ in BOTH]

    def recorded() -> dict[str, Timed]:
        pairs = zip(BOTH.items(), engines, strict=True)
        return {name: Timed(cosine(library, save_history=True), (engine,)) for (name, library), engine in pairs}

    yield Row("event, 1 group, with history", recorded, 0.25)
    yield Row("event, 200 groups", in_both(lambda library: cosine(library, 200)))
    yield Row("param_group_index=1 of 2 groups", in_both(lambda library: cosine(library, 2, param_group_index=1)), 0.5)
    yield Row(
        "a predicate on 200 groups, beside all groups",
        lambda: {
            "lehr": Timed(cosine(lehr, 200, param_group_index=lambda group: group["weight_decay"] == 0), (None,)),
            "ignite": Timed(cosine(ignite, 200), (None,)),
        },
        1.5,
    )
    for groups in SIZES:
        yield Row(
            f"betas[0], {counted(groups)}, beside lr and betas of OneCycleLR",
            lambda groups=groups: {
                "lehr": Timed(cosine(lehr, optimizer=adam_of(groups), name="betas[0]"), (None,)),
                "torch": Timed(cycling_betas(adam_of(groups))),
            },
            1.0,
        )
    tensor = lambda groups: optimizer_of(groups, lambda: torch.tensor(0.1))  # noqa: E731
    for groups in SIZES:
        yield Row(
            f"lr a tensor, {counted(groups)}, beside fill_",
            lambda groups=groups: {
                "lehr": Timed(cosine(lehr, optimizer=tensor(groups)), (None,)),
                "fill_": Timed(filling(tensor(groups))),
            },
        )


def counting(amounts: Sequence[int]) -> Timed:
    """An event of a scheduler whose clock reads these amounts, again and again."""
    optimizer, engine, readings = optimizer_of(1), Engine(lambda engine, batch: None), cycle(amounts)
    scheduler = lehr.CosineDecayScheduler(optimizer, "lr", 10**12)
    scheduler.attach(engine, clock=lehr.TokenClock(lambda engine: next(readings)))
    (handler, *_), *_ = engine._event_handlers[Events.ITERATION_STARTED]
    return Timed(handler, (engine,))


def clocked_events() -> Iterator[Row]:
    """An event with a clock, with its reading: an item of an iterator."""
    draw = random.Random(0)
    yield Row("clock, equal amounts", lambda: {"lehr": counting([2048])}, 3.0)
    yield Row("clock, a short batch in 50", lambda: {"lehr": counting([*[2048] * 49, 700])}, 3.0)
    yield Row("clock, amounts of 10 to 20", lambda: {"lehr": counting(draw.choices(range(10, 21), k=999))}, 3.0)
    yield Row("clock, amounts of 1500 to 2500", lambda: {"lehr": counting(draw.choices(range(1500, 2501), k=999))}, 3.0)


def adam_of(groups: int) -> torch.optim.Optimizer:
    """An optimizer with ``betas``."""
    return torch.optim.Adam([{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)], lr=0.1)


def cycling_betas(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """A step of the scheduler of torch that writes ``betas``, and ``lr`` with them."""
    scheduler = in_torch.OneCycleLR(optimizer, 0.1, total_steps=10**9)
    optimizer.step()
    return scheduler.step


def filling(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """A loop that writes to the tensors of the param groups."""

    def fill() -> None:
        for group in optimizer.param_groups:
            group["lr"].fill_(0.05)

    return fill


def grouped(library: Any, members: int, groups: int | None) -> Any:
    """A ``ParamGroupScheduler``: each member of one group, or each of a parameter of all groups."""
    optimizer = optimizer_of(groups or members)
    if groups is None:
        each = [cosine(library, optimizer=optimizer, param_group_index=group) for group in range(members)]
    else:
        each = [cosine(library, optimizer=optimizer, name=name) for name in PARAMS[:members]]
    return library.ParamGroupScheduler(each)


def group_schedulers() -> Iterator[Row]:
    """Several members at one event."""
    for members, groups, highest in ((1, None, 0.5), (4, None, 0.5), (4, 200, 1.0)):
        size = f"{groups} groups" if groups else "1 group each"
        make = lambda library, members=members, groups=groups: grouped(library, members, groups)  # noqa: E731
        yield Row(f"ParamGroupScheduler, {members} of {size}", in_both(make), highest)


def functions(number: int, decay: float) -> Any:
    """A function of the event index; a list of different ones where there are several groups."""
    each = [lambda event, rate=decay * (1 + group): 1.0 / (1.0 + rate * event) for group in range(number)]
    return each[0] if number == 1 else each


def user_functions() -> Iterator[Row]:
    """Schedules that a user's function computes."""
    for groups in SIZES:
        for ours, theirs, decay in (
            (lehr.LambdaScheduler, in_torch.LambdaLR, 1e-6),
            (lehr.MultiplicativeScheduler, in_torch.MultiplicativeLR, 1e-15),
        ):
            factors = functions(groups, decay)
            yield Row(
                f"{ours.__name__}, {groups} function{'s' * (groups > 1)}",
                beside_torch(
                    lambda optimizer, ours=ours, factors=factors: ours(optimizer, "lr", factors, 0.1),
                    lambda optimizer, theirs=theirs, factors=factors: theirs(optimizer, factors),
                    groups,
                ),
                1.0,
            )
    for groups in SIZES:
        yield Row(
            f"get_param of a subclass, {counted(groups)}", in_both(lambda library, n=groups: own(library, n)), 1.0
        )


def own(library: Any, groups: int) -> Any:
    """A user's subclass."""

    class Own(library.ParamScheduler):  # type: ignore[misc, name-defined]
        def get_param(self) -> float:
            return 0.1 / (1 + 1e-6 * self.event_index)

    return Own(optimizer_of(groups), "lr")


def driven_events() -> Iterator[Row]:
    """Schedulers that a metric, a call or torch drives."""
    yield Row(
        "PhaseScheduler, beside a cosine",
        lambda: {
            "lehr": Timed(
                lehr.PhaseScheduler(optimizer_of(1), "lr", [Anneal(0.0, 0.1, duration=10**9), Constant(0.5)]), (None,)
            ),
            "cosine": Timed(cosine(lehr), (None,)),
        },
        2.0,
    )
    patience = 10**9
    torch_plateau = lambda groups: Timed(  # noqa: E731
        of_torch(lambda optimizer: in_torch.ReduceLROnPlateau(optimizer, patience=patience), groups).step, (1.0,)
    )
    for groups, highest in zip(SIZES, (3.0, 2.0, 1.0), strict=True):
        yield Row(
            f"ReduceOnPlateauScheduler, {counted(groups)}",
            lambda groups=groups: {
                "lehr": Timed(
                    lehr.ReduceOnPlateauScheduler(optimizer_of(groups), "lr", "loss", patience=patience),
                    (engine_with_loss(),),
                ),
                "torch": torch_plateau(groups),
            },
            highest,
        )
    yield Row(
        "MetricScheduler, 1 group",
        lambda: {
            "lehr": Timed(
                lehr.MetricScheduler(
                    optimizer_of(1), "lr", "loss", Plateau(factor=0.5, patience=patience, initial_value=0.1)
                ),
                (engine_with_loss(),),
            ),
            "torch": torch_plateau(1),
        },
        5.0,
    )
    for groups in SIZES:
        yield Row(
            f"LRScheduler(ReduceLROnPlateau), {counted(groups)}",
            lambda groups=groups: {
                "lehr": Timed(
                    lehr.LRScheduler(in_torch.ReduceLROnPlateau(optimizer_of(groups), patience=patience)),
                    (engine_with_loss(),),
                ),
                "torch": torch_plateau(groups),
            },
        )
    for make in (
        lambda optimizer: in_torch.StepLR(optimizer, 10**6),
        lambda optimizer: in_torch.CosineAnnealingLR(optimizer, 10**6),
        lambda optimizer: in_torch.OneCycleLR(optimizer, 0.1, 10**9),  # with the momentum
        lambda optimizer: in_torch.SequentialLR(
            optimizer, [in_torch.LinearLR(optimizer), in_torch.CosineAnnealingLR(optimizer, 10**6)], [10]
        ),
        lambda optimizer: in_torch.CosineAnnealingWarmRestarts(optimizer, 10**4),
        lambda optimizer: in_torch.ChainedScheduler(
            [in_torch.LinearLR(optimizer), in_torch.CosineAnnealingLR(optimizer, 10**6)], optimizer
        ),
    ):
        for groups in SIZES:
            name = type(make(optimizer_of(1))).__name__
            yield Row(
                f"LRScheduler({name}), {counted(groups)}",
                lambda make=make, groups=groups: {
                    "lehr": Timed(lehr.LRScheduler(of_torch(make, groups)), (None,)),
                    "torch": Timed(of_torch(make, groups).step),
                },
                1.3,
            )


STATES: dict[str, dict[str, Any]] = {
    "ExpStateScheduler": {"initial_value": 1.0, "gamma": 0.999999},
    "StepStateScheduler": {"initial_value": 1.0, "gamma": 0.999999, "step_size": 10},
    "MultiStepStateScheduler": {"initial_value": 1.0, "gamma": 0.5, "milestones": [10, 20]},
    "PiecewiseLinearStateScheduler": {"milestones_values": [(0, 1.0), (10**9, 0.0)]},
    "LambdaStateScheduler": {"lambda_obj": lambda event: 0.1 * event},
}


def engine_events() -> Iterator[Row]:
    """Schedulers of an engine's attribute, and of a batch size."""
    for name, arguments in STATES.items():
        make = lambda library, name=name, more=arguments: getattr(library, name)(param_name="rate", **more)  # noqa: E731
        yield Row(name, in_both(make, Engine(lambda engine, batch: None)), 1.0)
    sized = lambda library: library.BatchSizeScheduler(DataLoader([0] * 9, batch_size=2), lambda epoch: 4)  # noqa: E731
    yield Row("BatchSizeScheduler", in_both(sized), 1.0)


def away_from_events() -> Iterator[Row]:
    """What is done once: the first event, seek and resume, construction, attaching and saving."""
    scheduler = cosine(lehr)
    scheduler.seek(10)
    state = scheduler.state_dict()

    far_apart = cycle((10, 123_456, 50_000, 10**9))

    def seek_and_write() -> None:
        scheduler.seek(next(far_apart))
        scheduler(None)

    def load_and_write(scheduler: Any) -> None:
        scheduler.load_state_dict(state)
        scheduler(None)

    def first(scheduler: Any) -> None:
        scheduler(None)

    fresh = lambda: (cosine(lehr),)  # noqa: E731
    peaks = [0.1 * (1 + group) for group in range(10)]
    one_cycle = lambda: (lehr.OneCycleScheduler(optimizer_of(10), "lr", peaks, total_steps=10**6),)  # noqa: E731
    yield Row("first event", lambda: {"lehr": Timed(first, fresh=fresh)}, 40.0)
    yield Row("first event of 10 values", lambda: {"lehr": Timed(first, fresh=one_cycle)}, 40.0)
    yield Row("seek and write", lambda: {"lehr": Timed(seek_and_write)}, 40.0)
    yield Row("load a state and write", lambda: {"lehr": Timed(load_and_write, fresh=fresh)}, 40.0)
    for groups, highest in ((1, 5.0), (200, 10.0)):
        optimizer = optimizer_of(groups)
        yield Row(
            f"make, {counted(groups)}",
            lambda optimizer=optimizer: {
                name: Timed(lambda library=library: cosine(library, optimizer=optimizer))
                for name, library in BOTH.items()
            },
            highest,
        )
    yield Row("make with texts, beside numbers", in_units)
    for number in (1, 10):
        yield Row(f"attach {number}", lambda number=number: attaching(number), 2.0)
    yield Row("state_dict", lambda: {name: Timed(moved(library).state_dict) for name, library in BOTH.items()}, 5.0)

    def loading() -> dict[str, Timed]:
        return {
            name: Timed(cosine(library).load_state_dict, (moved(library).state_dict(),))
            for name, library in BOTH.items()
        }

    yield Row("load_state_dict", loading, 10.0)


def in_units() -> dict[str, Timed]:
    """Make a scheduler of three phases: with texts that a run converts, and with their numbers."""
    optimizer, run = optimizer_of(1), lehr.RunLength(max_epochs=10, epoch_length=500)

    def made(*durations: int | str) -> Callable[[], Any]:
        return lambda: lehr.WarmupStableDecayScheduler(optimizer, "lr", *durations, peak_value=0.1, run=run)

    return {"lehr": Timed(made("1%", "79%", "20%")), "numbers": Timed(made(50, 3950, 1000))}


def attaching(number: int) -> dict[str, Timed]:
    """Attach schedulers to a new engine."""

    def made(library: Any) -> Callable[[], Sequence[Any]]:
        optimizers = [optimizer_of(1) for _ in range(number)]
        return lambda: ([cosine(library, optimizer=each) for each in optimizers], Engine(lambda engine, batch: None))

    def attach(schedulers: Sequence[Any], engine: Engine) -> None:
        for scheduler in schedulers:
            scheduler.attach(engine)

    def add(schedulers: Sequence[Any], engine: Engine) -> None:
        for scheduler in schedulers:
            engine.add_event_handler(Events.ITERATION_STARTED, scheduler)

    return {"lehr": Timed(attach, fresh=made(lehr)), "ignite": Timed(add, fresh=made(ignite))}


def moved(library: Any) -> Any:
    """A scheduler after 10 events."""
    scheduler = cosine(library)
    for _ in range(10):
        scheduler(None)
    return scheduler


def rows() -> list[Row]:
    """All rows of the table."""
    parts = (
        plain_events,
        clocked_events,
        group_schedulers,
        user_functions,
        driven_events,
        engine_events,
        away_from_events,
    )
    return [row for part in parts for row in part()]


def nanoseconds(timed: Timed, calls: int) -> float:
    """The CPU time of one of so many calls."""
    call = timed.call
    if timed.fresh is not None:
        made = [timed.fresh() for _ in range(calls)]
        start = thread_time_ns()
        for arguments in made:
            call(*arguments)
        return (thread_time_ns() - start) / calls
    if timed.arguments:
        (argument,) = timed.arguments
        start = thread_time_ns()
        for _ in repeat(None, calls):
            call(argument)
        return (thread_time_ns() - start) / calls
    start = thread_time_ns()
    for _ in repeat(None, calls):
        call()
    return (thread_time_ns() - start) / calls


def calls_in_a_round(timed: Timed, name: str, slice_ns: float) -> int:
    """How many calls fill a slice; whole blocks of events where computing one is a visible share of an event."""
    if timed.fresh is not None:
        return max(min(round(slice_ns / 4 / nanoseconds(timed, 3)), 30), 3)
    nanoseconds(timed, 3)
    each = nanoseconds(timed, 20)
    calls = max(round(slice_ns / each), 3)
    return LARGEST_BLOCK if name == "lehr" and each < 4000 else calls


def measured(row: Row) -> tuple[dict[str, float], float | None]:
    """The median nanoseconds of each contender, and the median of the ratios of the first to the second."""
    contenders = row.contenders()
    gc.collect()
    calls = {name: calls_in_a_round(timed, name, SLICE_NS) for name, timed in contenders.items()}
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    names, start = list(contenders), perf_counter()
    while len(rounds[names[0]]) < FEWEST or (perf_counter() - start < SECONDS_PER_ROW and len(rounds[names[0]]) < MOST):
        for name in names:
            rounds[name].append(nanoseconds(contenders[name], calls[name]))
        names.append(names.pop(0))
    own, *peers = rounds.values()
    ratio = median(mine / theirs for mine, theirs in zip(own, peers[0], strict=True)) if peers else None
    return {name: median(taken) for name, taken in rounds.items()}, ratio


def main(words: Sequence[str]) -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    gc.disable()
    print(f"{'':56}{'lehr':>10}{'peer':>19}{'ratio':>8}{'aim':>7}")
    missed = total = 0
    for row in rows():
        if words and not any(word.lower() in row.what.lower() for word in words):
            continue
        times, ratio = measured(row)
        (_, own), *others = times.items()
        reached = own / 1000 if ratio is None else ratio
        peer = f"{others[0][0]} {others[0][1] / 1000:.2f} µs" if others else ""
        is_missed = row.aim is not None and reached > row.aim
        total, missed = total + (row.aim is not None), missed + is_missed
        told = "" if ratio is None else f"{ratio:.2f}"
        aim = "" if row.aim is None else f"{row.aim:g}" + (" µs" if ratio is None else "")
        print(f"{row.what:56}{own / 1000:7.2f} µs{peer:>19}{told:>8}{aim:>7}{'  missed' * is_missed}", flush=True)
    print(f"{missed} of {total} aims missed")


if __name__ == "__main__":
    main(sys.argv[1:])
