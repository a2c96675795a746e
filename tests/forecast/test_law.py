"""The multi-power law: its loss, its derivatives, and its sum over windows of events."""

import numpy as np
import pytest
from cases import for_each
from forecast_runs import TRUTH, law, schedule
from hypothesis import given, settings
from hypothesis import strategies as st

from lehr.handlers.forecast.lr_changes import changes_of
from lehr.handlers.forecast.multi_power_law import LawParameters, log_losses
from lehr.handlers.forecast.sampled_events import steps_for

KINDS = ["constant", "cosine", "jump", "linear"]


def fitted_numbers(parameters, highest_lr, lowest_loss):
    """Return the numbers from which ``LawParameters.from_fitted`` makes these parameters."""
    log_lr = np.log(highest_lr)
    return np.array(
        [
            parameters.limit / lowest_loss,
            np.log(parameters.amplitude / lowest_loss) - parameters.alpha * parameters.power * log_lr,
            parameters.alpha,
            np.log(parameters.drop * highest_lr / lowest_loss),
            np.log(parameters.rate) + (1 - parameters.gamma) * log_lr,
            parameters.beta,
            parameters.gamma,
        ]
    )


def losses_of(lrs, steps, truth=TRUTH, **options):
    highest = lrs.max()
    numbers = fitted_numbers(LawParameters(*truth), highest, 1.0)
    return np.exp(log_losses(numbers, changes_of(lrs / highest, np.asarray(steps), **options))[0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_sum_over_all_events_is_that_of_the_paper(kind):
    lrs, steps = schedule(kind, 300), [41, 100, 149, 150, 151, 222, 299]
    np.testing.assert_allclose(losses_of(lrs, steps, windows=None), law(lrs, steps), rtol=1e-12)


@for_each("kind", KINDS, one_in=2)
@for_each("count", [1, 3, 40])
def test_windows_change_the_loss_by_less_than_a_ten_thousandth(kind, count):
    lrs = schedule(kind, 20_000, warmup=500)
    steps = np.unique(np.linspace(600, 19_999, count + 1).astype(int)[1:])
    np.testing.assert_allclose(losses_of(lrs, steps), losses_of(lrs, steps, windows=None), rtol=1e-4)


@given(st.integers(0, 2**32), st.sampled_from(["steps", "walk", "cycles", "noise"]))
def test_windows_of_any_schedule(seed, kind):
    random = np.random.default_rng(seed)
    bound = {"steps": 5e-4, "cycles": 2e-3, "noise": 5e-3, "walk": 2e-2}[kind]
    at = np.arange(3000)
    if kind == "steps":
        lrs = 0.01 * random.uniform(0.1, 1, 12)[at * 12 // 3000]
    elif kind == "walk":
        lrs = 0.01 * np.exp(np.cumsum(0.02 * random.standard_normal(3000)))
    elif kind == "cycles":
        lrs = 0.001 + 0.009 * np.abs(np.sin(at / random.uniform(20, 400)))
    else:
        lrs = 0.01 * random.uniform(0.8, 1, 3000)
    steps = np.sort(random.choice(np.arange(50, 3000), 20, replace=False))
    np.testing.assert_allclose(losses_of(lrs, steps), losses_of(lrs, steps, windows=None), rtol=bound)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_between_the_computed_events(kind):
    lrs = schedule(kind, 2000, warmup=100)
    every, some = np.arange(100, 2000), steps_for(lrs, 100)
    assert len(some) < 1000
    interpolated = np.interp(every, some, losses_of(lrs, some))
    np.testing.assert_allclose(interpolated, losses_of(lrs, every, windows=None), rtol=2e-4)


@given(st.floats(0.1, 2.0), st.floats(0.2, 0.9), st.integers(2, 500))
def test_a_constant_learning_rate_gives_a_power_law(amplitude, alpha, step):
    truth = (2.0, amplitude, alpha, *TRUTH[3:])
    expected = 2.0 + amplitude * (0.01 * (step + 1)) ** -alpha
    assert losses_of(np.full(501, 0.01), [step], truth)[0] == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.floats(-1.0, 1.0), min_size=7, max_size=7))
@settings(max_examples=15)
def test_derivatives(directions):
    lrs, steps = schedule("cosine", 400), np.array([50, 200, 399])
    numbers = fitted_numbers(LawParameters(*TRUTH), 0.01, 1.0)
    changes = changes_of(lrs / 0.01, steps)
    small = 1e-6 * np.array(directions)
    found = log_losses(numbers + small, changes)[0] - log_losses(numbers - small, changes)[0]
    np.testing.assert_allclose(found, log_losses(numbers, changes)[1] @ (2 * small), rtol=1e-4, atol=1e-12)


@given(st.floats(1e-5, 10.0), st.floats(0.1, 100.0), st.floats(0.4, 1.0))
def test_the_units_of_parameters(highest_lr, lowest_loss, power):
    numbers = np.array([0.9, 1.0, 0.5, -2.0, -1.0, 0.6, 0.7])
    parameters = LawParameters.from_fitted(numbers, highest_lr, lowest_loss, power)
    np.testing.assert_allclose(fitted_numbers(parameters, highest_lr, lowest_loss), numbers, rtol=1e-9)


def test_a_learning_rate_of_zero_at_the_end():
    lrs = np.append(schedule("linear", 499), 0.0)
    assert np.isfinite(losses_of(lrs, [498, 499])).all()
