"""The lessons are run as a newcomer runs them: what they say holds, and each draws its pictures."""

import csv
import re
import runpy
from pathlib import Path

import matplotlib.image
import pytest
from matplotlib import pyplot
from scripts import run_python

from lehr.handlers import OneCycleScheduler

BIT_FOR_BIT = "are those of the run without a stop, bit for bit"


@pytest.fixture
def learn(repository, tmp_path):
    """Run a lesson in an empty folder; what it prints. Its pictures must not be empty sheets."""

    def run(script, *pictures):
        done = run_python(str(repository / "examples" / f"{script}.py"), folder=tmp_path)
        for picture in pictures:
            pixels = matplotlib.image.imread(tmp_path / "runs" / picture)
            assert min(pixels.shape[:2]) >= 400
            assert pixels.std() > 0.05, picture
        return done.stdout

    return run


def accuracies_in(printed):
    return [float(number) for number in re.findall(r"test accuracy:? (0\.\d{4})", printed)]


@pytest.mark.parametrize("in_a_process", [False, pytest.param(True, marks=pytest.mark.proof)])
def test_1_finds_the_mistakes_and_mends_them(in_a_process, learn, repository, tmp_path, monkeypatch, capsys):
    if in_a_process:
        printed = learn("lesson01_see_the_plan", "see_the_plan/plan.png")
    else:
        monkeypatch.chdir(tmp_path)
        runpy.run_path(str(repository / "examples" / "lesson01_see_the_plan.py"), run_name="__main__")
        printed = capsys.readouterr().out
        pyplot.close("all")
    wrong, right = printed.split("lr at the first iteration of each epoch:")[1:]
    assert re.findall(r"^(?:error|warning): (\S+): ", wrong, re.M) == ["write-conflict", "end-not-reached"]
    assert "\nnothing found\n" in right


@pytest.fixture(scope="module")
def one_cycle(tmp_path_factory):
    """One short run of lesson 2: its output, and the folder it wrote to."""
    folder = tmp_path_factory.mktemp("one_cycle")
    script = Path(__file__).resolve().parents[2] / "examples" / "lesson02_one_cycle.py"
    done = run_python(str(script), "--seeds", "1", "--epochs", "1", "4", folder=folder)
    return done, folder / "runs" / "one_cycle"


@pytest.mark.proof  # make demo runs it too
def test_2_learns_and_says_so_last(one_cycle):
    done, _ = one_cycle
    last = done.stdout.splitlines()[-1]
    match = re.fullmatch(r"test accuracy: (0\.9\d{3})", last)
    assert match, last
    assert float(match[1]) > 0.95


@pytest.mark.proof  # make demo runs it too
def test_2_checks_the_promise(one_cycle):
    done, folder = one_cycle
    assert "all 84 recorded values of lr and of momentum equal the simulated ones bit for bit" in done.stdout
    with open(folder / "history.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["event_index", "lr", "momentum"]
    simulated = OneCycleScheduler.simulate_values(84, param_name="lr", max_value=0.1, total_steps=84)
    assert [[int(event), float(lr)] for event, lr, _ in rows] == simulated


@pytest.mark.proof  # make demo runs it too
def test_2_shows_lr_and_loss_on_its_way(one_cycle):
    done, _ = one_cycle
    assert re.search(r"lr=[\d.e-]+, loss=[\d.e-]+", done.stderr)


@pytest.mark.proof  # make demo runs it too
def test_2_compares_schedules(one_cycle):
    done, _ = one_cycle
    rows = re.findall(
        r"^(one cycle|constant|cosine|triangular) +(\S+) +(\S+) ± (\S+) +(\S+) ± (\S+)$", done.stdout, re.M
    )
    assert len(rows) == 8
    assert all(0 <= float(cell) <= 1 for row in rows for cell in row[2:])


@pytest.mark.proof  # make demo runs it too
@pytest.mark.parametrize("name", ["schedule.png", "accuracy.png"])
def test_2_draws_pictures(one_cycle, name):
    _, folder = one_cycle
    picture = matplotlib.image.imread(folder / name)
    assert min(picture.shape[:2]) >= 500
    assert picture.std() > 0.05  # not an empty sheet


@pytest.mark.proof
def test_3_feeds_a_one_cycle_policy(learn):
    printed = learn("lesson03_find_lr", "find_lr/range_test.png")
    suggested = re.match(r"suggested lr: (\S+)\nthe loss falls most steeply at", printed)
    assert suggested
    assert 0.001 < float(suggested[1]) < 0.02
    careful, bold = accuracies_in(printed)
    assert careful > 0.94
    assert bold > 0.97
    assert "with another range test before it, the training is the same, bit for bit" in printed


@pytest.mark.proof
def test_4_fine_tunes_better_than_from_scratch(learn):
    printed = learn("lesson04_fine_tune", "fine_tune/rates.png")
    *fine_tuned, from_scratch = accuracies_in(printed)
    assert len(fine_tuned) == 3
    assert from_scratch > 0.6
    assert min(fine_tuned) > from_scratch + 0.03


@pytest.mark.proof
def test_5_reduces_as_foreseen(learn):
    printed = learn("lesson05_reduce_on_plateau", "reduce_on_plateau/plateau.png")
    rates = re.search(r"as it was in training: (.*)", printed)
    assert rates
    by_epoch = [float(rate) for rate in rates[1].split()]
    assert by_epoch[:3] == [0.01, 0.055, 0.1]
    assert by_epoch[2:] == sorted(by_epoch[2:], reverse=True)
    assert by_epoch[-1] < 0.1
    assert "a dry run with the measured losses gives the recorded learning rates, bit for bit" in printed
    assert accuracies_in(printed)[0] > 0.97


@pytest.mark.proof
def test_6_decays_when_it_is_told_to(learn):
    printed = learn("lesson06_decide_later", "decide_later/decisions.png")
    epochs = [int(number) for number in re.findall(r" after (\d+) epochs$", printed, re.M)]
    assert epochs[:3] == [6, 12, 18]
    assert 5 <= epochs[3] < 18
    assert min(accuracies_in(printed)) > 0.97


@pytest.mark.proof
def test_7_goes_on_as_if_nothing_had_happened(learn):
    printed = learn("lesson07_stop_and_go_on", "stop_and_go_on/resumed.png")
    assert "the run broke off at iteration 94\ncheckpoint_84.pt is loaded" in printed
    assert f"the learning rates {BIT_FOR_BIT}\nso are the weights\n" in printed
    assert re.search(r"without the scheduler's state: .* is at event 0, .* or call seek\(84\)", printed)


@pytest.mark.proof
def test_8_keeps_to_its_plan_and_compares_it(learn):
    printed = learn("lesson08_from_config", "from_config/recorded.png", "from_config/two_configs.png")
    assert "all 168 recorded values of lr, momentum, weight_decay are those of the plan, bit for bit" in printed
    assert "a plan of 168 iterations: 8 epochs of 21\n" in printed
    assert "nothing found" in printed
    assert "weight_decay: only in the first\nlr, group 0: from iteration 1 on (0.001 and 0.002)" in printed
    assert accuracies_in(printed)[0] > 0.95


@pytest.mark.proof  # tests/promises/test_ranks.py stops it and goes on
def test_9_trains_on_two_ranks(learn):
    printed = learn("lesson09_distributed", "distributed/schedules.png")
    assert len(re.findall(r"^epoch \d: weight decay \S+, test accuracy", printed, re.M)) == 8
    assert accuracies_in(printed)[-1] > 0.97


@pytest.mark.proof
def test_10_needs_no_trainer(learn):
    printed = learn("lesson10_plain_loop", "plain_loop/recorded.png")
    assert "nothing found" in printed
    assert "all 80 steps had the lr and momentum of the plan, bit for bit" in printed
    assert accuracies_in(printed)[0] > 0.97


@pytest.mark.proof
def test_11_is_one_plan_for_any_batch_size(learn):
    printed = learn("lesson11_units", "units/one_plan.png")
    assert printed.count("nothing found") == 3
    assert "batches of 32: 400 steps" in printed
    assert "((0, 0.001), (16, 0.1), (70, 0.1), (100, 0.0))" in printed
    assert min(accuracies_in(printed)) > 0.97


@pytest.mark.proof
def test_12_lands_at_the_deadline(learn):
    printed = learn("lesson12_land_by", "land_by/landing.png")
    found = re.findall(r"(\d+) steps, the last one ([+-]\S+) steps after the deadline with lr (\S+), test", printed)
    assert len(found) == 4
    assert [int(steps) for steps, _, _ in found] == pytest.approx([105, 150, 195, 127], abs=1)
    assert all(-2 <= float(late) <= 1 and lr == "0" for _, late, lr in found)
    assert min(accuracies_in(printed)) > 0.96


@pytest.mark.proof
def test_13_saves_steps_and_loses_nothing(learn):
    printed = learn("lesson13_branches", "branches/branches.png")
    assert "a branch has the weights of a run whose decay was planned from the beginning, bit for bit" in printed
    assert "three whole runs: 735, of a trunk with three branches: 483 (-34%)" in printed
    found = re.findall(r"branch (0\.\d{4}) ± \S+, whole run (0\.\d{4}) ± (0\.\d{4}), difference ([+-]\S+)", printed)
    assert len(found) == 3
    for branch, _, spread, difference in found:
        assert float(branch) > 0.95
        assert float(difference) > -max(float(spread), 0.005)


def test_the_course_lists_every_lesson_and_picture(repository):
    folder = repository / "examples"
    course = (folder / "README.md").read_text()
    rows = re.findall(r"^\| \[(\d+)\. [^|]*\]\((\w+\.py)\) \|.* \| ([^|]*) \|$", course, re.M)
    scripts = sorted(path.name for path in folder.glob("lesson*.py"))
    assert [script for _, script, _ in rows] == scripts
    for number, script, pictures in rows:
        text = (folder / script).read_text()
        assert script.startswith(f"lesson{int(number):02}_")
        assert text.startswith(f'"""Lesson {number}: ')
        for picture in re.findall(r"([\w/]+\.png)`", pictures):
            assert picture.split("/")[-1] in text, picture
    for path in re.findall(r"\]\((\S+)\)", course):
        assert (folder / path).is_file(), path
