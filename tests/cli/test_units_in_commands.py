"""The command reads durations with units, and prints them."""

import json

import pytest
from commands import printed as run

RUN = {"total_tokens": "1.2B", "tokens_per_step": 1_000_000}
CONFIG = {"type": "LinearScheduler", "start_value": 0.1, "duration": "1.2B tokens", "begin": 0}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**CONFIG, "run": RUN}))
    return path


def test_durations_of_the_command_line_are_texts_too():
    given = ["num_stable_events=79%", "num_decay_events=20%", "peak_value=0.1", "--max-steps", 200, "--csv"]
    texts = run("simulate", "WarmupStableDecayScheduler", "num_warmup_events=1%", *given)
    given[:2] = ["num_stable_events=158", "num_decay_events=40"]
    assert texts == run("simulate", "WarmupStableDecayScheduler", "num_warmup_events=2", *given)


def test_show_says_where_in_the_run_a_phase_ends(file):
    printed = run("show", file)
    assert "events 0 to 1199 (to 1.2 of 1.2B tokens): from 0.1 to 0 on a straight line" in printed
    assert "run: 1200 iterations, 1.2B tokens" in printed


def test_check_prints_the_unit_and_refuses_two_lengths(tmp_path, file):
    path = tmp_path / "rate.json"
    path.write_text(json.dumps({**CONFIG, "run": {"tokens_per_step": 1_000_000}}))
    printed = run("check", path, "--max-steps", 900)
    assert "the run has 900 of them, 75% (0.9 of 1.2B tokens)" in " ".join(printed.split())
    error = run("check", file, "--max-steps", 900, code=2)
    assert "total_steps = 900, and total_tokens / tokens_per_step = 1200000000 / 1000000 = 1200" in error


def test_a_text_without_a_run_is_an_error():
    error = run("simulate", "StepScheduler", "step_size=10%", "initial_value=1", code=2)
    assert "step_size must be a number of events if no run is given, given '10%'" in error
