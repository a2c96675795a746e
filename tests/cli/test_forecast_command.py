"""The command lehr forecast prints the numbers that the Python functions return for the same tables of runs."""

import csv
import re

import numpy as np
import pytest
from commands import invoked
from made_runs import LOW, PEAK, WARM, made_runs, rates_of, true_losses
from PIL import Image

from lehr.handlers.forecast import LossForecast, Run
from lehr.handlers.schedules import Anneal

STEPS = 400
PLAN = f"""
type: PiecewiseLinear
milestones_values: [[0, {PEAK / WARM}], [{WARM}, {PEAK}], [{STEPS}, {LOW}]]
"""
ONE = (
    f"WarmupStableDecayScheduler num_warmup_events={WARM} num_stable_events=300 num_decay_events=80 "
    f"peak_value={PEAK} end_value={LOW} start_value={PEAK / WARM}"
)


def run(*args, code=0):
    result = invoked("forecast", *args, code=code)
    assert (result.stderr == "") is (code == 0)
    return result.stdout if code == 0 else result.stderr


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Return a folder with a CSV file for each run, and a plan."""
    folder = tmp_path_factory.mktemp("runs")
    for name, one in made_runs(STEPS).items():
        with open(folder / f"{name}.csv", "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["event_index", "loss", "lr"])
            rows.writerows(zip(one.steps.tolist(), one.losses.tolist(), one.lrs.tolist(), strict=True))
    (folder / "plan.yaml").write_text(PLAN)
    return folder


@pytest.fixture
def folder(tables, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for path in tables.iterdir():
        (tmp_path / path.name).write_text(path.read_text())
    return tmp_path


RUNS = ("cosine.csv", "constant.csv", "step.csv")


@pytest.fixture
def fitted(folder):
    return LossForecast.fit([Run.from_csv(name) for name in RUNS])


def test_without_a_schedule_it_prints_only_the_fit(folder, fitted):
    assert run(*RUNS) == f"{fitted}\n"


def test_one_schedule_has_its_loss_and_band_and_table(folder, fitted):
    rates = rates_of(Anneal(PEAK, LOW, STEPS - WARM), num_events=STEPS)
    printed = run(*RUNS, "--schedule", "plan.yaml", "--steps", str(STEPS), "-o", "curve.csv")
    final, low, high = map(float, re.search(r"plan\.yaml: (\S+) \((\S+) to (\S+)\)", printed).groups())
    curve = fitted.predict(rates, STEPS)
    assert (final, low, high) == pytest.approx((curve.final, curve.low[-1], curve.high[-1]), abs=6e-5)
    assert low < final < high
    assert final == pytest.approx(true_losses(rates)[-1], rel=0.01)
    rows = list(csv.DictReader((folder / "curve.csv").read_text().splitlines()))
    assert len(rows) == STEPS
    assert float(rows[-1]["loss"]) == pytest.approx(curve.final)
    np.testing.assert_allclose([float(row["lr"]) for row in rows], rates, rtol=1e-9)


def test_several_schedules_are_ranked_and_drawn(folder):
    printed = run(*RUNS, "--schedule", "plan.yaml", "--schedule", ONE, "--steps", str(STEPS), "--plot", "loss.png")
    lines = printed.splitlines()
    ranked = [line for line in lines if "plan.yaml" in line or "WarmupStableDecay" in line]
    assert len(ranked) == 2
    assert lines[-1] == "wrote loss.png"
    assert np.asarray(Image.open(folder / "loss.png").convert("L")).std() > 10


def test_it_draws_in_the_terminal(folder):
    printed = run(*RUNS, "--schedule", "plan.yaml", "--steps", str(STEPS), "--plot")
    assert "loss, plan.yaml" in printed
    assert len(printed.splitlines()) > 15


def test_wrong_calls(folder):
    (folder / "bad.csv").write_text("step,loss\n0,3\n1,2\n")
    (folder / "old.png").write_text("")
    (folder / "late.csv").write_text("step,lr,loss\n900,0.1,3\n910,0.1,2.9\n")
    cases = [
        ((), "RUN must be a CSV file"),
        (("nothing.csv",), "nothing.csv: No such file"),
        (("bad.csv",), "must have the columns 'step', 'lr' and 'loss'"),
        ((*RUNS, "--schedule", "plan.yaml"), "must be set, or --max-steps"),
        ((*RUNS, "--plot", "loss.png"), "--plot needs a --schedule"),
        ((*RUNS, "-o", "loss.csv"), "-o needs a --schedule"),
        ((*RUNS, "--schedule", "plan.yaml", "--steps", "400", "--plot", "loss.csv"), "--plot must end in .png"),
        ((*RUNS, "--schedule", "plan.yaml", "--steps", "400", "--plot", "old.png"), "--plot must be a new file"),
        (
            (*RUNS, "--schedule", "plan.yaml", "--schedule", ONE, "--steps", "400", "-o", "a.csv"),
            "only one --schedule, given 2",
        ),
        ((*RUNS, "--schedule", "'", "--steps", "400"), "--schedule must be a file, or a type with its arguments"),
        ((*RUNS, "--schedule", "none.yaml", "--steps", "400"), "none.yaml"),
        (("late.csv",), "--warmup must be given, since the rows of 'late.csv' begin with step 900"),
        ((*RUNS, "--schedule", "plan.yaml", "--steps", "4000"), "--steps must be at most"),
        ((*RUNS, "--schedule", "plan.yaml", "--steps", "4000"), "or give --extrapolate for a wider band"),
    ]
    for args, words in cases:
        printed = run(*args, code=2)
        assert words in printed, args
        assert len(printed.splitlines()) == 1
        assert len(printed) < 560
    assert not (folder / "a.csv").exists()
