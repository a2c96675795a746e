"""``audit_log`` compares a log with a plan, and names a relation that explains the differences."""

import math
import time

import numpy as np
import pytest
import torch
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine, Events
from matplotlib.figure import Figure
from optimizers import make_optimizer, make_trainer

from lehr.handlers import CosineDecayScheduler, diff_plans, dry_run
from lehr.handlers.plans import Log, Plan, audit_log
from lehr.handlers.plans.logs.log import TRAINER, rounding_of
from lehr.handlers.plans.plan import PlanColumn

LENGTH = 400
EVENTS = np.arange(70 * LENGTH)


def warm_cosine(events=EVENTS, length=LENGTH, base=0.3):
    """Return a linear warm-up of 20 events, followed by half a cosine wave down to a hundredth of ``base``."""
    part = np.clip((events - 20) / (length - 20), 0, 1)
    return np.where(events < 20, base * (events + 1) / 20, base * (0.01 + 0.99 * (1 + np.cos(np.pi * part)) / 2))


def stairs(events=EVENTS, base=0.3):
    return base * 0.3 ** (events // 37)


def root(events=EVENTS, base=0.3):
    return base / np.sqrt(events + 10)


def sawteeth(events=EVENTS, base=0.3):
    return base * (0.1 + (events % 83) / 83)


SCHEDULES = [warm_cosine, stairs, root, sawteeth]
PLANNED = warm_cosine()
ROUNDINGS = {
    "float64": lambda values: values,
    "float32": lambda values: values.astype(np.float32).astype(float),
    "6 digits": lambda values: np.array([float(f"{value:.6g}") for value in values]),
    "5 decimals in the exponent": lambda values: np.array([float(f"{value:.5e}") for value in values]),
}


def audit(steps, values, planned=PLANNED, **kwargs):
    return audit_log(Log({"lr": (steps, values)}), planned, **kwargs)


def explanation(found):
    (difference,) = found
    return difference.explanations[0] if difference.explanations else ""


# Logs with the planned values.


@given(
    schedule=st.sampled_from(SCHEDULES),
    rounding=st.sampled_from(list(ROUNDINGS)),
    every=st.integers(1, 60),
    start=st.integers(0, 100),
    base=st.floats(1e-6, 10),
    data=st.data(),
)
def test_a_log_of_the_plan_is_equal_however_it_is_rounded_and_sampled(schedule, rounding, every, start, base, data):
    planned = schedule(EVENTS[:LENGTH], base=base)
    steps = np.arange(start, LENGTH, every)
    kept = data.draw(st.lists(st.booleans(), min_size=len(steps), max_size=len(steps)))
    steps = steps[np.array(kept)] if any(kept) else steps  # without some of the steps
    found = audit(steps, ROUNDINGS[rounding](planned[steps]), planned)
    assert not found, str(found)
    assert (len(found), len(found.compared[0].steps)) == (0, len(steps))


def test_the_text_of_a_log_that_is_as_planned():
    found = audit(range(0, 400, 50), PLANNED[:400:50])
    assert str(found) == "lr: as planned at 8 points, steps 0 to 350, within float64\n(steps count from 0)"
    assert repr(found) == "<Audit of lr: 0 differ>"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.round(warm_cosine(np.arange(LENGTH)), 4), "4 decimals"),
        (np.array([float(f"{value:.2e}") for value in root(np.arange(5000))]), "3 digits"),
        (np.array([0.1, 0.01, 0.001] * 10), "6 digits"),
        (np.array([0.0, np.nan, np.inf]), "6 digits"),
        (np.empty(0), "6 digits"),
    ],
)
def test_the_rounding_is_read_from_the_values(values, words):
    assert rounding_of(values).words == words


def test_a_coarse_rounding_hides_no_other_schedule():
    steps = np.arange(LENGTH)
    assert not audit(steps, np.round(PLANNED[steps], 4))
    assert audit(steps, np.round(warm_cosine(steps, base=0.301), 4))
    assert audit(range(3), [0.1, 0.2, 0.3], [0.1, 0.2, 0.30001])  # few digits, but three values do not show a rounding


# Logs of known faults, each of which the audit names.


def faults():
    steps = np.arange(0, LENGTH, 5)
    return {
        "ahead": (steps, PLANNED[steps + 1], "if it is 1 step ahead: step s has the value planned for step s + 1"),
        "behind": (steps, PLANNED[np.maximum(steps - 1, 0)], None),
        "behind, dense": (
            np.arange(1, LENGTH), PLANNED[: LENGTH - 1],
            "if it is 1 step behind: step s has the value planned for step s - 1",
        ),
        "three behind": (np.arange(3, LENGTH), PLANNED[: LENGTH - 3], "if it is 3 steps behind"),
        "counts from a checkpoint": (steps, PLANNED[steps + 123], "if it is 123 steps ahead"),
        "stepped twice": (
            steps, PLANNED[2 * steps],
            "if the schedule moves 2 times in each step (called 2 times, or by each of 2 processes)",
        ),
        "stepped before it is logged": (
            steps, PLANNED[2 * steps + 2], "moves 2 times in each step (called 2 times, or by each of 2 processes), "
            "2 planned steps ahead",
        ),
        "64 processes": (np.arange(LENGTH), PLANNED[64 * np.arange(LENGTH)], "moves 64 times in each step"),
        "accumulated": (
            steps, PLANNED[steps // 4],
            "if the schedule moves once in 4 steps (accumulated gradients, or steps of 4 processes)",
        ),
        "peak": (steps, 2.5 * PLANNED[steps], "if all values are the planned ones times 2.5"),
        "third": (steps, PLANNED[steps] / 3, "if all values are the planned ones times 0.333333"),
        "jump": (
            steps, np.where(steps < 200, PLANNED[steps], PLANNED[steps + 77]),
            "if the schedule jumps at step 200: from there on it is 77 steps ahead",
        ),
        "again": (
            steps, np.where(steps < 203, PLANNED[steps], PLANNED[np.maximum(steps - 203, 0)]),
            "if the plan begins again at step 203",
        ),
        "stopped": (
            steps, PLANNED[np.minimum(steps, 200)], f"if the value stays at {PLANNED[200]:.6g} from step 200 on",
        ),
        "never stepped": (steps, np.full(len(steps), 0.015), "if the value stays at 0.015 from step 0 on"),
        "scaled later": (
            steps, PLANNED[steps] * np.where(steps < 200, 1, 0.5),
            "if from step 200 on all values are the planned ones times 0.5",
        ),
        "processes and a scaled rate": (
            steps, 4 * PLANNED[steps // 4],
            "moves once in 4 steps (accumulated gradients, or steps of 4 processes), "
            "and its values are the planned ones times 4",
        ),
    }  # fmt: skip


@for_each("rounding", ROUNDINGS)
@for_each("fault", [name for name, (*_, words) in faults().items() if words])
def test_a_fault_is_named(fault, rounding):
    steps, values, words = faults()[fault]
    found = audit(steps, ROUNDINGS[rounding](values))
    assert found
    assert words in explanation(found), str(found)
    assert explanation(found).startswith("matches exactly if ")


@given(
    schedule=st.sampled_from(SCHEDULES),
    rounding=st.sampled_from(list(ROUNDINGS)),
    every=st.sampled_from([1, 2, 3, 7, 10]),
    times=st.integers(2, 9),
    cut=st.integers(100, 250),
    base=st.floats(1e-5, 1),
)
def test_drawn_faults_are_named(schedule, rounding, every, times, cut, base):
    planned, steps = schedule(base=base), np.arange(0, LENGTH, every)
    for values, words in [
        (planned[steps * times], f"moves {times} times in each step"),
        (planned[steps // times], f"moves once in {times} steps"),
        (planned[steps] * times, f"the planned ones times {times}"),
        (np.where(steps < cut, planned[steps], planned[np.maximum(steps - cut, 0)]), "the plan begins again at step"),
    ]:
        found = audit(steps, ROUNDINGS[rounding](values), planned)
        known = " or ".join(found[0].explanations)
        # A staircase that is logged rarely or seldom falls looks the same under several relations.
        assert words in known or (schedule is stairs and (every > 1 or times > 4)), str(found)


def test_a_log_that_counts_from_1_is_told_apart_from_a_late_schedule_by_the_caller():
    steps = np.arange(1, LENGTH)
    late = audit(steps, PLANNED[steps - 1])
    advice = "; if the log counts from 1, give first_step=1, or --first-step 1"
    assert explanation(late).endswith(f"step s has the value planned for step s - 1{advice}")
    assert not audit(steps, PLANNED[steps - 1], first_step=1)
    # No advice for another shift, with `first_step=1`, or for a log that has step 0.
    for words, found in {
        "2 steps behind": audit(steps + 1, PLANNED[steps - 1]),
        "1 step behind": audit(steps + 1, PLANNED[steps - 1], first_step=1),
        "s - 1, at the 398 of 399 points": audit(steps - 1, PLANNED[np.maximum(steps - 2, 0)]),
    }.items():
        assert words in explanation(found)
        assert "--first-step" not in str(found)


def test_epochs_for_iterations():
    plan = 0.1 * 0.5 ** (np.arange(20 * 1000) // 1000)  # halved in each epoch of 1000 iterations
    steps = np.arange(20)
    by_iteration = audit(steps, 0.1 * 0.5**steps, plan, epoch_length=1000)
    assert "if iterations count as epochs: the schedule moves 1000 times in each step" in explanation(by_iteration)
    steps = np.arange(0, 20 * 1000, 100)
    by_epoch = audit(steps, root(steps // 1000), root(np.arange(20 * 1000)), epoch_length=1000)
    assert "if epochs count as iterations: the schedule moves once in 1000 steps" in explanation(by_epoch)


def test_a_schedule_of_another_length():
    steps = np.arange(0, LENGTH, 2)
    found = audit(steps, np.cos(np.pi * steps / 1000), np.cos(np.pi * EVENTS / 900))
    assert explanation(found).startswith("matches if the schedule is 10/9 times as long: exactly at 40 points, and ")
    words = "if the run has 500 steps in place of 400"
    found = audit(steps, warm_cosine(steps, 500), others={words: warm_cosine(np.arange(400), 500), "no": PLANNED})
    assert explanation(found) == f"matches exactly {words}"


def test_the_plan_may_be_too_short_to_tell():
    steps = np.arange(LENGTH)
    found = audit(steps, PLANNED[2 * steps], PLANNED[:LENGTH])
    assert "at the 200 of 400 points that the plan reaches" in explanation(found)
    assert explanation(audit(steps[::10], PLANNED[::64][:40], PLANNED[:LENGTH])) == ""  # only one point is in reach


@for_each("planned", SCHEDULES, one_in=3)
@for_each("logged", [*SCHEDULES, lambda events: 0.3 * (1 - events / LENGTH) ** 0.9])
@for_each("every", [1, 10])
def test_an_unrelated_schedule_is_not_explained(planned, logged, every):
    steps = np.arange(0, LENGTH, every)
    found = audit(steps, logged(steps), planned())
    if logged is planned:
        assert not found
    else:
        assert found[0].explanations == ()
        assert "no simple relation to the plan explains it" in str(found)


@given(st.data())
def test_noise_is_not_explained(data):
    number = st.floats(0.015625, 1, width=32)
    values = data.draw(st.lists(number, min_size=12, max_size=12, unique=True))
    planned = data.draw(st.lists(number, min_size=24, max_size=24, unique=True))
    found = audit(range(12), values, planned)
    for words in found[0].explanations if found else ():  # drawn values may happen to have a relation
        assert "matches" in words


def test_two_values_are_too_few_to_tell_how_a_schedule_counts():
    steps = np.arange(100)
    found = audit(steps, np.where(steps < 75, 0.01, 0.005), 0.01 * 0.5 ** (steps // 25))
    assert found[0].explanations == ()  # a schedule that moves once in 3 steps has these values too


def test_one_wrong_value_spoils_an_explanation():
    steps = np.arange(LENGTH)
    for _, values, words in faults().values():
        if words and len(values) == len(steps):
            values = values.copy()
            values[-30] *= 1.01
            assert explanation(audit(steps, values)) == ""


# What a difference holds.


def test_first_ratio_and_number_of_the_points_that_differ():
    (one,) = audit([0, 10, 20, 30], [1.0, 1.0, 3.0, 2.0], np.ones(40))
    assert (one.column, one.first, one.values, one.num_differing, one.num_points) == ("lr", 20, (3.0, 1.0), 2, 4)
    assert (one.ratio, one.ratio_at) == (3.0, 20)
    assert str(one).startswith("lr: from step 20 on (3 logged, 1 planned), at 2 of 4 points; ratio up to 3, at step 20")


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_values_that_no_plan_has_differ(value):
    (one,) = audit(range(4), [1.0, value, 1.0, 1.0], np.ones(4))
    assert (one.first, one.num_differing, one.ratio) == (1, 1, math.inf)


def test_the_last_value_of_a_step_counts_and_what_the_plan_lacks_is_left_out():
    steps = [*range(100), *range(80, 120), 1000]
    found = audit(steps, [*PLANNED[:80], *([9.0] * 20), *PLANNED[80:120], 5.0], PLANNED[:LENGTH])
    assert not found
    assert found.notes == (
        "lr: 20 steps, from 80 to 99, are logged again with other values: the last ones count",
        "1 point outside of the 400 events of the plan left out",
    )


def test_a_trainer_of_transformers_logs_this_value_or_the_next():
    steps = np.arange(10, LENGTH, 10)
    for off, words in ((0, "each step logs the value of the next step"), (-1, "each step logs the value that it had")):
        found = audit_log(Log({"learning_rate": (steps, PLANNED[steps + off])}, TRAINER), PLANNED)
        assert not found
        assert found.counting == words
    assert audit_log(Log({"learning_rate": (steps, PLANNED[steps + 1])}, TRAINER), PLANNED)


def test_groups_and_columns():
    table = np.stack([PLANNED, 2 * PLANNED], axis=1)[:LENGTH]
    steps = np.arange(LENGTH)
    log = Log({"lr/pg1": (steps, table[:, 0]), "lr/pg2": (steps[::3], table[::3, 1])})
    assert not audit_log(log, table)
    assert [one.column for one in audit_log(log, table, group=0)] == ["lr/pg2"]
    assert not audit_log(log, table, column="lr/pg2", group=1)
    assert [one.column for one in audit_log(log, table[:, :1])] == ["lr/pg2"]
    with pytest.raises(ValueError, match="column must be one of 'lr/pg1', 'lr/pg2', or group must be an index"):
        audit_log(log, np.ones((LENGTH, 3)))


def test_a_plan_of_a_dry_run():
    trainer = make_trainer()
    CosineDecayScheduler(make_optimizer(2), "lr", 40).attach(trainer)
    plan = dry_run(trainer, 4, 10)
    log = Log({f"lr{at}": (range(40), plan["lr"][:, at]) for at in range(2)})
    assert not audit_log(log, plan)
    with pytest.raises(ValueError, match="name must be among 'lr', given 'momentum'"):
        audit_log(log, plan, name="momentum")


@for_each(
    ("kwargs", "error", "match"),
    [
        ({"plan": "lr"}, TypeError, "plan must be a Plan or an array of planned values, given 'lr'"),
        ({"plan": []}, TypeError, "plan must have at least one event, and one or two axes"),
        ({"group": 1}, ValueError, "group must be less than 1, the number of groups in the plan, given 1"),
        ({"group": -1}, ValueError, "group must be a whole number of at least 0, given -1"),
        ({"first_step": 0.5}, ValueError, "first_step must be a whole number of at least 0, given 0.5"),
        ({"tolerance": -1}, ValueError, "tolerance must be at least 0, given -1"),
        ({"epoch_length": 0}, ValueError, "epoch_length must be a whole number of at least 1, given 0"),
        ({"column": "x"}, ValueError, "column must be among 'lr', given 'x'"),
        ({"first_step": 10}, ValueError, "plan must cover a step of the log, whose steps are 0 to 2, given 400 events"),
    ],
)
def test_bad_arguments(kwargs, error, match):
    plan = kwargs.pop("plan", PLANNED[:400])
    with pytest.raises(error, match=match):
        audit_log(Log({"lr": ([0, 1, 2], [1.0, 2.0, 3.0])}), plan, **kwargs)


@pytest.mark.parametrize(
    ("steps", "values", "error", "match"),
    [
        ([0, 1.5], [1, 2], ValueError, "the steps of lr must be whole numbers of at least 0, given 1.5"),
        ([0, -1], [1, 2], ValueError, "the steps of lr must be whole numbers of at least 0, given -1.0"),
        ([0, math.nan], [1, 2], ValueError, "the steps of lr must be whole numbers of at least 0, given nan"),
        ([0, 1], [1], ValueError, "lr must have a value for each step, given 2 steps and 1 values"),
        ([0], ["a"], TypeError, "the values of lr must be numbers, given"),
        ([[0]], [1], ValueError, "the steps of lr must be a list of numbers, given"),
    ],
)
def test_bad_logs(steps, values, error, match):
    with pytest.raises(error, match=match):
        Log({"lr": (steps, values)})


def test_many_points_take_seconds():
    planned = warm_cosine(np.arange(200_000), 200_000)
    steps = np.arange(len(planned))
    start = time.perf_counter()
    assert not audit(steps, planned, planned)
    again = planned[np.where(steps < 70_000, steps, steps - 70_000)]
    assert explanation(audit(steps, again, planned)) == "matches exactly if the plan begins again at step 70000"
    assert time.perf_counter() - start < 30


# Training loops of torch and ignite with a mistake.


def run(calls=lambda step: 1, steps=120, resume=None, base=0.1):
    """Return the learning rates of a torch loop; ``calls(step)`` is how often it calls the scheduler in a step."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 150)
    values = []
    for step in range(steps):
        if step == resume:
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 150)
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for _ in range(calls(step)):
            scheduler.step()
    return range(steps), values


@pytest.mark.parametrize(
    ("loop", "words"),
    [
        ({}, None),
        ({"calls": lambda step: 2}, "the schedule moves 2 times in each step"),
        (
            {"calls": lambda step: (step + 1) % 10 == 0},
            "the schedule moves once in 10 steps",
        ),
        ({"base": 0.4}, "all values are the planned ones times 4"),
        ({"resume": 60}, "the plan begins again at step 60"),
        ({"calls": lambda step: 1 + 12 * (step == 70)}, "jumps at step 71: from there on it is 12 steps ahead"),
        ({"calls": lambda step: step < 50}, "the value stays at 0.075 from step 50 on"),
    ],
)
def test_real_loops_of_torch(loop, words):
    planned = run(steps=900)[1]
    found = audit(*run(**loop), planned)
    assert bool(found) == (words is not None), str(found)
    assert words is None or words in explanation(found)


def test_real_runs_of_ignite():
    logged = {}
    for name, attached in (("right", [Events.ITERATION_STARTED]), ("twice", [Events.ITERATION_STARTED] * 2)):
        optimizer = make_optimizer(1)
        trainer = Engine(lambda engine, batch, optimizer=optimizer: optimizer.step())
        scheduler = CosineDecayScheduler(optimizer, "lr", 200)
        for event in attached:
            trainer.add_event_handler(event, scheduler)
        values = logged.setdefault(name, [])
        trainer.add_event_handler(
            Events.ITERATION_COMPLETED,
            lambda engine, values=values, optimizer=optimizer: values.append(optimizer.param_groups[0]["lr"]),
        )
        trainer.run(range(10), max_epochs=5)
    trainer = make_trainer()
    CosineDecayScheduler(make_optimizer(1), "lr", 200).attach(trainer)
    plan = dry_run(trainer, 20, 10)
    assert not audit(range(50), logged["right"], plan)
    found = audit(range(50), logged["twice"], plan)
    assert "moves 2 times in each step (called 2 times, or by each of 2 processes), 1 planned step ahead" in str(found)


# Two plans.


def plan_of(values):
    return Plan({"lr": PlanColumn(values.reshape(-1, 1), ("group 0",))}, len(values) // 10, 10)


@for_each(
    ("other", "words"),
    [
        (lambda e: PLANNED[np.maximum(e - 1, 0)], "b is a, 1 iteration later"),
        (lambda e: PLANNED[e + 2], "b is a, 2 iterations earlier"),
        (lambda e: PLANNED[e] * 2, "b's values are a's times 2"),
        (lambda e: PLANNED[e * 4], "b counts 4 iterations where a counts 1"),
        (lambda e: PLANNED[e // 10], "b counts 1 iteration where a counts 10"),
        (lambda e: np.where(e < 100, PLANNED[e], PLANNED[e - 100]), "b is a, and begins again at iteration 101"),
        (
            lambda e: np.where(e < 100, PLANNED[e], PLANNED[e + 9]),
            "b is a up to iteration 100, and then a, 9 iterations earlier",
        ),
        (lambda e: PLANNED[np.minimum(e, 99)], f"b stays at {PLANNED[99]:.6g} from iteration 100 on"),
        (lambda e: root(e), ""),
    ],
)
def test_a_difference_of_two_plans_is_explained(other, words):
    events = np.arange(LENGTH)
    diff = diff_plans(plan_of(PLANNED[events]), plan_of(other(events)))
    assert diff.explanation.startswith(words)
    assert bool(diff.explanation) == bool(words)
    assert len(str(diff).splitlines()) == 1 + bool(words)


def test_an_explanation_holds_for_all_groups():
    events = np.arange(LENGTH)
    a = Plan({"lr": PlanColumn(np.stack([PLANNED[events]] * 2, 1), ("group 0", "group 1"))}, 40, 10)
    doubled = PLANNED[events] * 2
    for second, words in ((doubled, "b's values are a's times 2"), (PLANNED[events] * 3, "")):
        b = Plan({"lr": PlanColumn(np.stack([doubled, second], 1), ("group 0", "group 1"))}, 40, 10)
        assert diff_plans(a, b).explanation == words
    assert diff_plans(a, a).explanation == ""


# Pictures of a difference.


def test_the_picture_has_the_plan_the_log_and_where_they_differ():
    found = audit(np.arange(0, 100, 10), [*PLANNED[:50:10], *([1.0] * 5)])
    (panel,) = found.plot(Figure().subplots())
    lines = {line.get_label(): line for line in panel.lines}
    assert lines["planned"].get_ydata().tolist() == PLANNED[:91].tolist()
    assert lines["logged"].get_xdata().tolist() == [0, 10, 20, 30, 40]
    assert lines["logged, differs"].get_xdata().tolist() == [50, 60, 70, 80, 90]
    assert (panel.get_ylabel(), panel.get_xlabel()) == ("lr", "step, as the log counts")
    assert panel.get_title() == "1 of 1 column not as planned"
    (panel,) = audit([0, 1], PLANNED[:2]).plot(Figure().subplots())
    assert [line.get_label() for line in panel.lines] == ["planned", "logged"]
    assert panel.get_title() == "the log is as planned"
