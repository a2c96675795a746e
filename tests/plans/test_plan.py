"""A plan maps names to tables; it has labels and phases, and it can be printed, compared and written to a file."""

import csv
import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from cases import for_each
from ignite.engine import Engine, Events
from optimizers import make_optimizer, make_trainer
from real_runs import COUNTING

from lehr.handlers import (
    ConcatScheduler,
    CosineDecayScheduler,
    OneCycleScheduler,
    ParamScheduler,
    PhaseScheduler,
    PiecewiseLinear,
    StateParamScheduler,
    WarmupStableDecayScheduler,
    check_plan,
    dry_run,
)
from lehr.handlers.plans import Plan
from lehr.handlers.schedules import Anneal, Constant, CosineAnnealing, Window


def planned(*schedulers, max_epochs=4, epoch_length=5, trainer=None):
    """Return the plan of schedulers, each of which is given with its event and optionally with a name."""
    trainer = trainer or make_trainer()
    for scheduler, event, *name in schedulers:
        scheduler.attach(trainer, event, *name)
    return dry_run(trainer, max_epochs, epoch_length)


@pytest.fixture
def plan():
    optimizer = make_optimizer(2)
    optimizer.param_groups[1]["name"] = "head"
    state = StateParamScheduler("rate", create_new=True, schedule=lambda event: event / 3)
    return planned(
        (CosineDecayScheduler(optimizer, "lr", 19), Events.ITERATION_STARTED),
        (
            ParamScheduler(optimizer, "momentum", param_group_index=1, schedule=COUNTING),
            Events.EPOCH_STARTED,
            "inertia",
        ),
        (state, Events.EPOCH_COMPLETED),
    )


def test_a_plan_is_a_mapping(plan):
    assert isinstance(plan, Plan)
    assert isinstance(plan, Mapping)
    assert list(plan) == list(plan.keys()) == ["lr", "inertia", "rate"]
    assert len(plan) == 3
    assert "lr" in plan
    assert "momentum" not in plan
    assert plan.get("momentum") is None
    assert {name: table.shape for name, table in plan.items()} == {"lr": (20, 2), "inertia": (20, 1), "rate": (20, 1)}
    assert all(table.dtype == np.float64 for table in plan.values())
    assert (plan.max_epochs, plan.epoch_length, plan.num_iterations, plan.start) == (4, 5, 20, 0)
    assert plan.unforeseen == ()


def test_a_wrong_name_lists_the_right_ones(plan):
    with pytest.raises(KeyError) as raised:
        plan["momentum"]
    assert raised.value.args == ("'momentum': the plan has 'lr', 'inertia', 'rate'",)
    with pytest.raises(KeyError, match="'lr': the plan has nothing"):
        planned()["lr"]


def test_groups_have_labels(plan):
    assert plan.columns["lr"].labels == ("group 0", "head")
    assert plan.columns["inertia"].labels == ("head",)
    assert plan.columns["rate"].labels == ("",)


def test_a_plan_in_words(plan):
    assert str(plan) == (
        "a plan of 20 iterations: 4 epochs of 5\n"
        "name     group    first  lowest  highest  last\n"
        "lr       group 0  0.5    0       0.5      0\n"
        "lr       head     1.5    0       1.5      0\n"
        "inertia  head     0      0       3        3\n"
        "rate     -        nan    0       0.6667   0.6667"
    )
    assert repr(plan) == "<Plan of lr, inertia, rate: 4 epochs of 5>"


def test_a_plan_of_nothing_in_words(tmp_path):
    nothing = planned(max_epochs=1, epoch_length=1)
    assert repr(nothing) == "<Plan of nothing: 1 epochs of 1>"
    assert str(nothing).splitlines()[0] == "a plan of 1 iteration: 1 epoch of 1"
    nothing.to_csv(tmp_path / "plan.csv")
    assert (tmp_path / "plan.csv").read_text().splitlines()[0] == "iteration"


def test_a_plan_of_what_is_never_written_in_words():
    state = StateParamScheduler("rate", create_new=True, schedule=lambda index: index)
    words = str(planned((state, Events.ITERATION_STARTED(after=100)))).splitlines()
    assert words[-1].split() == ["rate", "-", "nan", "nan", "nan", "nan"]


def test_a_plan_of_a_resumed_run_in_words():
    trainer, optimizer = make_trainer(), make_optimizer()
    scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
    scheduler.seek(7)
    trainer.load_state_dict({"iteration": 7, "epoch_length": 5, "max_epochs": 4})
    plan = planned((scheduler, Events.ITERATION_STARTED), trainer=trainer)
    assert plan.start == 7
    assert str(plan).splitlines() == [
        "a plan of 20 iterations: 4 epochs of 5, from iteration 8 on",
        "name  group    first  lowest  highest  last",
        "lr    group 0  7      7       19       19",
    ]


def test_plans_are_equal_where_their_values_are(plan):
    optimizer = make_optimizer(2)

    def one(duration=19, event=Events.ITERATION_STARTED, name=None, **kwargs):
        return planned((CosineDecayScheduler(make_optimizer(2), "lr", duration), event, name), **kwargs)

    assert one() == one()
    assert not one() != one()  # noqa: SIM202
    assert one() != one(duration=18)
    assert one() != one(name="rate")
    assert one() != one(event=Events.ITERATION_COMPLETED)
    assert one() != one(max_epochs=3)
    assert one() == one(max_epochs=5, epoch_length=4)
    assert one() != plan
    assert one() != {"lr": one()["lr"]}
    assert (one() == 3) is False
    state = StateParamScheduler("rate", create_new=True, schedule=COUNTING)
    other = StateParamScheduler("rate", create_new=True, schedule=COUNTING)
    assert planned((state, Events.EPOCH_COMPLETED)) == planned((other, Events.EPOCH_COMPLETED))  # both begin with NaN
    with pytest.raises(TypeError, match="unhashable"):
        hash(plan)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_file_has_the_same_numbers(plan, tmp_path):
    plan.to_csv(tmp_path / "plan.csv")
    with open(tmp_path / "plan.csv", newline="") as file:
        headings, *rows = csv.reader(file)
    assert headings == ["iteration", "lr[0]", "lr[1]", "inertia", "rate"]
    assert [int(row[0]) for row in rows] == list(range(1, 21))
    read = np.array([[float(cell) if cell else math.nan for cell in row[1:]] for row in rows])
    assert np.array_equal(read, np.hstack(list(plan.values())), equal_nan=True)
    assert [row[4] for row in rows[:6]] == ["", "", "", "", "", "0.0"]
    plan.to_csv(str(tmp_path / "again.csv"))
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "plan.csv").read_bytes()


def test_a_name_with_a_comma_survives_a_file(tmp_path):
    optimizer = make_optimizer()
    plan = planned((ParamScheduler(optimizer, "lr", schedule=COUNTING), Events.STARTED, 'a, "b"\nc'))
    plan.to_csv(tmp_path / "plan.csv")
    with open(tmp_path / "plan.csv", newline="", encoding="utf-8") as file:
        assert next(csv.reader(file)) == ["iteration", 'a, "b"\nc']


# Phases.

ITERATIONS = Events.ITERATION_STARTED
SPANS = {
    "concatenation": (
        lambda o: ConcatScheduler(
            [PiecewiseLinear(o, "lr", [(0, 0.0), (6, 1.0)]), CosineDecayScheduler(o, "lr", 9)], [6]
        ),
        ITERATIONS,
        [(0, 6, "warm-up"), (6, 20, "cosine")],
    ),
    "concatenation, by epoch": (
        lambda o: ConcatScheduler(
            [PiecewiseLinear(o, "lr", [(0, 0.0), (2, 1.0)]), CosineDecayScheduler(o, "lr", 2)], [3]
        ),
        Events.EPOCH_STARTED,
        [(0, 15, "warm-up"), (15, 20, "cosine")],
    ),
    "concatenation, after epochs": (
        lambda o: ConcatScheduler(
            [PiecewiseLinear(o, "lr", [(0, 0.0), (2, 1.0)]), CosineDecayScheduler(o, "lr", 2)], [2]
        ),
        Events.EPOCH_COMPLETED,
        [(5, 15, "warm-up"), (15, 20, "cosine")],
    ),
    "concatenation, every third": (
        lambda o: ConcatScheduler(
            [PiecewiseLinear(o, "lr", [(0, 0.0), (2, 1.0)]), CosineDecayScheduler(o, "lr", 2)], [2]
        ),
        Events.ITERATION_STARTED(every=3),
        [(2, 8, "warm-up"), (8, 20, "cosine")],
    ),
    "a phase that does not come": (
        lambda o: ConcatScheduler(
            [PiecewiseLinear(o, "lr", [(0, 0.0), (6, 1.0)]), CosineDecayScheduler(o, "lr", 9)], [20]
        ),
        ITERATIONS,
        [(0, 20, "warm-up")],
    ),
    "warm-up, stable, decay": (
        lambda o: WarmupStableDecayScheduler(o, "lr", 3, 5, 9, peak_value=0.1),
        ITERATIONS,
        [(0, 3, "warm-up"), (3, 8, "stable"), (8, 20, "decay")],
    ),
    "one cycle": (
        lambda o: OneCycleScheduler(o, "lr", 0.1, total_steps=20),
        ITERATIONS,
        [(0, 5, "up"), (5, 20, "down")],
    ),
    "window": (
        lambda o: ParamScheduler(o, "lr", schedule=Window(CosineAnnealing(1.0, 0.1, 9), 4, 9)),
        ITERATIONS,
        [(0, 4, "before"), (4, 9, "cosine annealing"), (9, 20, "held")],
    ),
    "phases": (
        lambda o: PhaseScheduler(o, "lr", [Constant(0.1), Anneal(1.0, 0.0, 5)], starts=[7]),
        ITERATIONS,
        [(0, 7, "constant"), (7, 20, "linear")],
    ),
    "one piece": (lambda o: CosineDecayScheduler(o, "lr", 9), ITERATIONS, []),
}


@for_each("name", SPANS)
def test_phases_are_those_of_the_iterations(name):
    make, event, expected = SPANS[name]
    plan = planned((make(make_optimizer()), event))
    assert [tuple(span) for span in plan.columns["lr"].spans] == expected


def test_a_phase_that_an_event_begins_is_where_it_begins():
    trainer = make_trainer()
    scheduler = PhaseScheduler(make_optimizer(), "lr", [Constant(0.1), Anneal(1.0, 0.0, 5)])
    scheduler.attach(trainer)
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=2), scheduler.next_phase)
    plan = dry_run(trainer, 4, 5)
    assert [tuple(span) for span in plan.columns["lr"].spans] == [(0, 10, "constant"), (10, 20, "linear")]


@pytest.mark.parametrize(("at", "first"), [(3, "warm-up"), (5, "stable"), (12, "decay")])
def test_phases_of_a_resumed_run_are_those_to_come(at, first):
    trainer, optimizer = make_trainer(), make_optimizer()
    scheduler = WarmupStableDecayScheduler(optimizer, "lr", 5, 5, 9, peak_value=0.1)
    scheduler.seek(at)
    trainer.load_state_dict({"iteration": at, "epoch_length": 5, "max_epochs": 4})
    spans = [tuple(span) for span in planned((scheduler, ITERATIONS), trainer=trainer).columns["lr"].spans]
    expected = [(max(at, 0), 5, "warm-up"), (max(at, 5), 10, "stable"), (max(at, 10), 20, "decay")]
    assert spans == [span for span in expected if span[0] < span[1]]
    assert spans[0][2] == first


def test_phases_follow_real_steps():
    optimizer = make_optimizer()
    trainer = Engine(lambda engine, batch: None)
    scheduler = WarmupStableDecayScheduler(optimizer, "lr", 2, 2, 9, peak_value=0.1)
    scheduler.attach(trainer, "STEP_STARTED")
    plan = dry_run(trainer, 4, 5, gradient_accumulation_steps=3)
    assert [tuple(span) for span in plan.columns["lr"].spans] == [
        (2, 8, "warm-up"),
        (8, 14, "stable"),
        (14, 20, "decay"),
    ]


def test_a_plan_of_very_many_iterations():
    optimizer, trainer = make_optimizer(2, torch.optim.AdamW), make_trainer()
    for name in ("lr", "weight_decay", "betas[0]"):
        CosineDecayScheduler(optimizer, name, 100_000).attach(trainer)
    plan = dry_run(trainer, 100, 1000)
    assert plan["lr"].shape == (100_000, 2)
    assert plan["betas[0]"][-1, 0] < 1e-6


def test_progress_is_told_every_thousand_iterations():
    optimizer, trainer, told = make_optimizer(), make_trainer(), []
    CosineDecayScheduler(optimizer, "lr", 2500).attach(trainer)
    plan = dry_run(trainer, 5, 500, progress=told.append)
    assert told == [1000, 1000]
    assert plan == dry_run(trainer, 5, 500)
    check_plan(trainer, 5, 500, progress=told.append)
    assert told == [1000] * 4
