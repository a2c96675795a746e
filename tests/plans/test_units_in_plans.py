"""Findings and pictures use the unit in which the durations of a scheduler were given."""

import pytest
from matplotlib.figure import Figure
from optimizers import make_optimizer

from lehr.handlers import (
    ConcatScheduler,
    LinearScheduler,
    PhaseScheduler,
    RunLength,
    WarmupStableDecayScheduler,
    check_plan,
    configure_scheduler,
    dry_run,
    plot_plan,
)
from lehr.handlers.core.duration_unit_checks import given_unit
from lehr.handlers.schedules import Anneal, Constant

RUN = RunLength(total_tokens="1.2B", tokens_per_step=1_000_000, samples_per_step=512, epoch_length=100)
TOKENS = ("12M tokens", "828M tokens", "360M tokens")


def wsd(durations=TOKENS, run=RUN):
    return WarmupStableDecayScheduler(make_optimizer(), "lr", *durations, peak_value=0.1, start_value=0.01, run=run)


@pytest.mark.parametrize(
    ("durations", "iterations", "message", "suggestion"),
    [
        (
            TOKENS,
            900,
            "takes 1200 events, but the run has 900 of them, 75% (0.9 of 1.2B tokens)",
            "make the schedule 900",
        ),
        (
            TOKENS,
            1600,
            "the schedule ends after 1200 of 1600 events (1.2 of 1.6B tokens) with",
            "make the schedule 1600",
        ),
        (("0.12 epochs", "8.28 epochs", "3.6 epochs"), 900, "75% (9 of 12 epochs): its last", "make the schedule 900"),
        (
            ("1%", "69%", "30%"),
            900,
            "but the run has 900 of them, 75%: its last",
            "give run= the length of this run, 900",
        ),
        ((12, 828, "184.32k samples"), 900, "75% (461 of 614k samples): its last", "make the schedule 900"),
        ((12, 828, 360), 900, "but the run has 900 of them, 75%: its last", "make the schedule 900"),
    ],
)
def test_findings_about_the_length(durations, iterations, message, suggestion):
    [finding] = check_plan(wsd(durations), None, 100, max_iters=iterations)
    assert message in finding.message
    assert finding.suggestion.startswith(suggestion)
    assert check_plan(wsd(durations), None, 100, max_iters=1200) == []


def test_the_unit_is_found_in_schedulers_and_schedules_inside():
    scheduler = wsd()
    assert given_unit(scheduler) == (RUN, "tokens")
    assert given_unit(ConcatScheduler([scheduler, scheduler], [3])) == (RUN, "tokens")
    phases = PhaseScheduler(make_optimizer(), "lr", [Constant(0.1), Anneal(1.0, 0.0, "2 epochs")], run=RUN)
    assert given_unit(phases).unit == "epochs"
    assert given_unit(wsd((1, 2, 3))) is None
    assert given_unit(wsd((1, 2, "3 events"))) is None
    config = {"type": "LinearScheduler", "duration": "1M samples", "start_value": 0.1}
    assert given_unit(configure_scheduler(make_optimizer(), config, run=RUN)).unit == "samples"


def axis_of(plan, **kwargs):
    [panel] = plot_plan(plan, Figure().subplots(), **kwargs)
    [secondary] = panel.child_axes
    panel.figure.draw_without_rendering()
    return secondary.get_xlabel(), secondary.get_xlim()


def test_the_axis_along_the_top():
    plan = dry_run(wsd(), None, 100, max_iters=1200)
    assert axis_of(plan) == ("B tokens", pytest.approx((0, 1.2)))
    assert axis_of(plan, unit="epochs") == ("epochs", pytest.approx((0, 12)))
    assert axis_of(plan, unit="samples") == ("k samples", pytest.approx((0, 614.4)))
    assert axis_of(plan, unit="percent") == ("% of the run", pytest.approx((0, 100)))
    numbers = dry_run(LinearScheduler(make_optimizer(), "lr", 300), 3, 100)
    assert axis_of(numbers) == ("epochs", pytest.approx((0, 3)))
    assert axis_of(numbers, unit="tokens", run=RunLength(tokens_per_step=10)) == ("k tokens", pytest.approx((0, 3)))
    with pytest.raises(TypeError, match="run must be a RunLength where unit is 'tokens', given None"):
        plot_plan(numbers, Figure().subplots(), unit="tokens")
    with pytest.raises(ValueError, match="given 'samples': give the run samples_per_step"):
        plot_plan(numbers, Figure().subplots(), unit="samples", run=RunLength(tokens_per_step=10))
    with pytest.raises(ValueError, match="unit must be one of 'epochs', 'tokens', 'samples', 'percent', given 'hours'"):
        plot_plan(numbers, Figure().subplots(), unit="hours")
