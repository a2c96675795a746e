"""The examples are run as a newcomer runs them."""

import csv
import re
from pathlib import Path

import matplotlib.image
import pytest
from scripts import run_python

from lehr.handlers import OneCycleScheduler


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """One short run of the digits example: its output, and the folder it wrote to."""
    folder = tmp_path_factory.mktemp("digits")
    script = Path(__file__).resolve().parents[2] / "examples" / "digits.py"
    done = run_python(str(script), "--seeds", "1", "--epochs", "1", "4", folder=folder)
    return done, folder / "runs" / "digits"


@pytest.mark.proof  # make demo runs it too
def test_digits_learns_and_says_so_last(digits):
    done, _ = digits
    last = done.stdout.splitlines()[-1]
    match = re.fullmatch(r"test accuracy: (0\.9\d{3})", last)
    assert match, last
    assert float(match[1]) > 0.95


@pytest.mark.proof  # make demo runs it too
def test_digits_checks_the_promise(digits):
    done, folder = digits
    assert "all 84 recorded values of lr and of momentum equal the simulated ones bit for bit" in done.stdout
    with open(folder / "history.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["event_index", "lr", "momentum"]
    simulated = OneCycleScheduler.simulate_values(84, param_name="lr", max_value=0.1, total_steps=84)
    assert [[int(event), float(lr)] for event, lr, _ in rows] == simulated


@pytest.mark.proof  # make demo runs it too
def test_digits_shows_lr_and_loss_on_its_way(digits):
    done, _ = digits
    assert re.search(r"lr=[\d.e-]+, loss=[\d.e-]+", done.stderr)


@pytest.mark.proof  # make demo runs it too
def test_digits_compares_schedules(digits):
    done, _ = digits
    rows = re.findall(
        r"^(one cycle|constant|cosine|triangular) +(\S+) +(\S+) ± (\S+) +(\S+) ± (\S+)$", done.stdout, re.M
    )
    assert len(rows) == 8
    assert all(0 <= float(cell) <= 1 for row in rows for cell in row[2:])


@pytest.mark.proof  # make demo runs it too
@pytest.mark.parametrize("name", ["schedule.png", "accuracy.png"])
def test_digits_draws_pictures(digits, name):
    _, folder = digits
    picture = matplotlib.image.imread(folder / name)
    assert min(picture.shape[:2]) >= 500
    assert picture.std() > 0.05  # not an empty sheet


@pytest.mark.proof
def test_from_config_keeps_to_its_plan(tmp_path):
    script = Path(__file__).resolve().parents[2] / "examples" / "from_config.py"
    done = run_python(str(script), folder=tmp_path)
    assert "all 168 recorded values of lr, momentum, weight_decay are those of the plan, bit for bit" in done.stdout
    assert "a plan of 168 iterations: 8 epochs of 21\n" in done.stdout
    assert "nothing found" in done.stdout
    match = re.search(r"test accuracy: (0\.9\d{3})$", done.stdout.strip())
    assert match
    assert float(match[1]) > 0.95
    for name in ("plan.png", "recorded.png"):
        assert matplotlib.image.imread(tmp_path / "runs" / "from_config" / name).std() > 0.05


@pytest.mark.proof
def test_find_lr_feeds_a_one_cycle_policy(tmp_path):
    script = Path(__file__).resolve().parents[2] / "examples" / "find_lr.py"
    done = run_python(str(script), folder=tmp_path)
    suggested = re.match(r"suggested lr: (\S+)\nthe loss falls most steeply at", done.stdout)
    assert suggested
    assert 0.001 < float(suggested[1]) < 0.02
    careful, bold = re.findall(r"^one cycle up to \S+, .*: test accuracy (0\.9\d{3})$", done.stdout, re.M)
    assert float(careful) > 0.94
    assert float(bold) > 0.97
    assert "with another range test before it, the training is the same, bit for bit" in done.stdout
    assert matplotlib.image.imread(tmp_path / "runs" / "find_lr" / "range_test.png").std() > 0.05
