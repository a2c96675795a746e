"""``LossForecast`` fitted to runs whose law is known: its losses, bands, rankings and searches, and its errors."""

import sys
from itertools import permutations

import numpy as np
import pytest
from cases import few_by_default, for_each
from forecast_runs import drawn_run, drawn_runs, law, schedule
from hypothesis import given
from hypothesis import strategies as st

from lehr.handlers.forecast import LossForecast, Run
from lehr.handlers.schedules import Constant, Cosine, LinearInterpolation, WarmupStableDecay

EVENTS = 600


@pytest.fixture(scope="module")
def forecast():
    return LossForecast.fit(drawn_runs(noise=0.001))


def decay(events, lowest=0.001):
    return WarmupStableDecay(0.01, 40, EVENTS - 40 - events, events, end_value=lowest, decay_type="linear")


@pytest.mark.parametrize(("kind", "events"), [("linear", 600), ("cosine", 1200), ("jump", 400), ("constant", 1200)])
def test_other_runs_of_the_same_law(forecast, kind, events):
    lrs = schedule(kind, events)
    steps = np.arange(60, events, 29)
    curve = forecast.predict(lrs, events)
    np.testing.assert_allclose(curve.loss[steps], law(lrs, steps.tolist()), rtol=0.01)


def test_the_curve_has_a_loss_for_each_event_after_the_warmup(forecast):
    curve = forecast.predict(decay(100), EVENTS)
    assert curve.events.tolist() == list(range(EVENTS))
    assert np.isnan(curve.loss[:40]).all()
    assert np.isfinite(curve.loss[40:]).all()
    assert (curve.low[40:] < curve.loss[40:]).all()
    assert (curve.loss[40:] < curve.high[40:]).all()
    assert curve.final == curve.loss[-1] == pytest.approx(forecast.final(decay(100), EVENTS), rel=1e-5)


def test_a_schedule_and_its_array_have_the_same_forecast(forecast):
    first, second = forecast.predict(decay(100), EVENTS), forecast.predict(decay(100)(np.arange(EVENTS)), EVENTS)
    np.testing.assert_array_equal(first.loss, second.loss)


@for_each("order", permutations(range(3)), one_in=3)
def test_the_order_of_the_runs_does_not_matter(forecast, order):
    runs = drawn_runs(noise=0.001)
    again = LossForecast.fit([runs[at] for at in order])
    assert again.parameters == forecast.parameters
    np.testing.assert_array_equal(again.predict(decay(100), EVENTS).low, forecast.predict(decay(100), EVENTS).low)


@given(st.floats(0.01, 100.0))
@few_by_default(2)
def test_losses_in_another_unit(factor):
    runs = drawn_runs(noise=0.001)
    scaled = LossForecast.fit([Run(run.lrs, run.steps, run.losses * factor) for run in runs])
    expected = LossForecast.fit(runs)
    for name in ("loss", "low", "high"):
        found = getattr(scaled.predict(decay(100), EVENTS), name) / factor
        np.testing.assert_allclose(found, getattr(expected.predict(decay(100), EVENTS), name), rtol=1e-4)


@given(st.floats(0.01, 10.0))
@few_by_default(2)
def test_learning_rates_in_another_unit(factor):
    runs = drawn_runs(noise=0.001)
    scaled = LossForecast.fit([Run(run.lrs * factor, run.steps, run.losses) for run in runs])
    lrs = decay(100)(np.arange(EVENTS))
    found, expected = scaled.predict(lrs * factor, EVENTS), LossForecast.fit(runs).predict(lrs, EVENTS)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-4)


def test_a_constant_learning_rate_follows_a_power_law(forecast):
    found = forecast.parameters
    curve = forecast.predict(Constant(0.01), 500)
    expected = found.limit + found.amplitude * (0.01 * (curve.events + 1.0)) ** -found.alpha
    computed = curve.loss[[0, 1, 2, 5, 499]]
    np.testing.assert_allclose(computed, expected[[0, 1, 2, 5, 499]], rtol=1e-4)


def width(forecast, schedule=None, events=EVENTS, **options):
    curve = forecast.predict(decay(100) if schedule is None else schedule, events, **options)
    return float(np.nanmean((curve.high - curve.low) / curve.loss))


def test_the_band_is_wider_with_noise_with_fewer_runs_and_beyond_the_runs(forecast):
    noisy = LossForecast.fit(drawn_runs(noise=0.02))
    few = LossForecast.fit(drawn_runs(noise=0.001)[:2])
    assert width(noisy) > 2 * width(forecast)
    assert width(few) > 1.5 * width(forecast)
    lrs = decay(100)(np.arange(6 * EVENTS))
    inside, outside = (
        forecast.predict(lrs[: 3 * EVENTS], 3 * EVENTS),
        forecast.predict(lrs, 6 * EVENTS, extrapolate=True),
    )
    assert (outside.high - outside.low)[1000] > 1.5 * (inside.high - inside.low)[1000]
    assert width(forecast, Constant(0.02), extrapolate=True) > 1.5 * width(forecast, Constant(0.0105))
    low = forecast.predict(decay(100, lowest=0.0), EVENTS, extrapolate=True)
    assert (low.high - low.low)[100] > 1.5 * float((forecast.predict(decay(100), EVENTS).high - low.low)[100]) / 2


def coverage(seed):
    runs = [drawn_run(kind, noise=0.004, seed=3 * seed + at) for at, kind in enumerate(("constant", "cosine", "jump"))]
    run = drawn_run("linear", noise=0.004, seed=100 + seed)
    curve = LossForecast.fit(runs).predict(run.lrs, run.num_events)
    inside = (curve.low[run.fitted_steps] <= run.fitted_losses) & (run.fitted_losses <= curve.high[run.fitted_steps])
    return float(inside.mean())


def test_the_band_covers_the_losses_of_a_run_left_out():
    found = [coverage(seed) for seed in range(6)]
    assert 0.85 <= np.mean(found) <= 0.95, found
    assert min(found) > 0.75, found


def mean_error_left_out(forecast, name):
    found = [errors for run, errors in zip(forecast.runs, forecast.left_out, strict=True) if run.name == name]
    return float(np.abs(np.concatenate(found)).mean())


def test_a_run_that_is_there_twice_is_left_out_with_its_copy():
    """Both runs lie 1% above the law. If one of them stayed in the fit, the error of the other would be too small."""
    constant, cosine, jump = drawn_runs(noise=0.001)
    off, copy = (
        Run(cosine.lrs, cosine.steps, drawn_run("cosine", noise=0.001, seed=seed).losses * 1.01, name="off")
        for seed in (8, 9)
    )
    once, twice = LossForecast.fit([constant, jump, off]), LossForecast.fit([constant, jump, off, copy])
    assert mean_error_left_out(twice, "off") == pytest.approx(mean_error_left_out(once, "off"), rel=0.2)


def test_points_that_another_run_has_had_do_not_count_as_left_out():
    """The first half of the run with a jump equals the constant run; the cosine run begins within 1% of both."""
    forecast = LossForecast.fit(drawn_runs(noise=0.001))
    counts = {run.name: len(errors) for run, errors in zip(forecast.runs, forecast.left_out, strict=True)}
    assert counts == {"constant": 37, "jump": 37, "cosine": 65}  # of 70 points each, the first at event 40


def test_a_final_loss_alone_tells_nothing_of_the_steps_before_it():
    constant, cosine, jump = drawn_runs(noise=0.001)
    final = Run(jump.lrs, [592], [jump.losses[-1]], name="final")
    forecast = LossForecast.fit([constant, cosine, final])
    counts = {run.name: len(errors) for run, errors in zip(forecast.runs, forecast.left_out, strict=True)}
    assert counts == {"constant": 65, "cosine": 65, "final": 1}


@for_each("order", permutations(range(3)), one_in=3)
def test_schedules_within_one_percent_of_one_of_them_are_one(order):
    lrs, steps = schedule("cosine", 600), np.arange(40, 600, 8)
    runs = [Run(factor * lrs, steps, np.linspace(4, 3, 70)) for factor in (1.0, 0.992, 1.008)]
    with pytest.raises(ValueError, match="given 3 runs under one"):
        LossForecast.fit([runs[at] for at in order])


def test_numbers_that_the_runs_leave_free_are_uncertain():
    """A constant run and a run that decays at its end leave ``gamma`` free. A run with a jump narrows it."""
    free = LossForecast.fit([drawn_run("constant"), drawn_run("linear")])
    told = LossForecast.fit([*drawn_runs(), drawn_run("linear")])
    spread_of_gamma = [float(one.fitted_law.uncertainty.deviations[:, 6].std()) for one in (free, told)]
    assert spread_of_gamma[0] > 0.05
    assert spread_of_gamma[1] < spread_of_gamma[0]


def test_one_loss_far_off_hardly_changes_the_fit(forecast):
    runs = drawn_runs(noise=0.001)
    losses = runs[1].losses.copy()
    losses[20] *= 3
    spoilt = LossForecast.fit([runs[0], Run(runs[1].lrs, runs[1].steps, losses), runs[2]])
    change = spoilt.predict(decay(100), EVENTS).loss / forecast.predict(decay(100), EVENTS).loss - 1
    assert np.nanmax(np.abs(change)) < 0.01


def test_losses_of_every_step_are_averaged():
    runs = drawn_runs(noise=0.05, every=1)
    found = LossForecast.fit(runs)
    assert [len(errors) for errors in found.residuals] == [100, 100, 100]
    lrs = schedule("linear", EVENTS)
    steps = np.arange(60, EVENTS, 29)
    np.testing.assert_allclose(found.predict(lrs, EVENTS).loss[steps], law(lrs, steps.tolist()), rtol=0.03)


ASKED = {
    "lr 4% above": (Constant(0.0104), EVENTS, None),
    "lr 6% above": (Constant(0.0106), EVENTS, "at most 0.01, the highest of the runs, given 0.0106"),
    "lr in percent": (Constant(1.0), EVENTS, "is it in percent"),
    "lr 4% below": (decay(100, lowest=0.00096), EVENTS, None),
    "lr 20% below": (decay(100, lowest=0.0008), EVENTS, "at least 0.001003, the lowest of the runs"),
    "3.4 times as long": (Constant(0.01), 2000, None),
    "3.6 times as long": (
        Constant(0.01),
        2160,
        "num_events must be at most 2076, 3.5 times the longest run, given 2160",
    ),
}


@pytest.mark.parametrize("case", ASKED)
def test_what_it_may_be_asked_for(forecast, case):
    asked, events, message = ASKED[case]
    if message is None:
        assert forecast.predict(asked, events).final > 0
        return
    for ask in (forecast.predict, forecast.final):
        with pytest.raises(ValueError, match=message) as raised:
            ask(asked, events)
        assert "extrapolate=True" in str(raised.value)
        assert len(str(raised.value)) <= 500
    assert forecast.predict(asked, events, extrapolate=True).final > 0


def flat(events, height=0.01):
    return Run(np.full(events, height), np.arange(10, events, 10), 3 - 0.001 * np.arange(10, events, 10))


CANNOT_TELL = {
    "no runs": ([], "runs must have two schedules or more"),
    "one schedule": ([drawn_run("cosine")], "two schedules or more, given 1 run under one schedule: add a run"),
    "one schedule twice": ([drawn_run("cosine"), drawn_run("cosine", noise=0.01)], "given 2 runs under one"),
    "one schedule, and its first half": (
        [drawn_run("cosine"), Run(schedule("cosine", 600)[:300], range(40, 300), np.linspace(4, 3, 260))],
        "given 2 runs under one schedule: add a run",
    ),
    "no decay": ([flat(300), flat(600, 0.005)], "whose learning rate decays, .* add a run"),
    "two points": (
        [Run(schedule("cosine", 100), [99], [2.0]), Run(schedule("jump", 100), [99], [2.0])],
        "given 2: the law",
    ),
    "losses in the warm-up alone": (
        [Run(schedule("cosine", 300)[:30], [5, 19], [4.0, 3.0], num_warmup_events=20)],
        "losses after its warm-up",
    ),
    "units of losses differ": (
        [drawn_run("cosine"), Run(schedule("jump", 600), [300, 599], [3000.0, 2000.0])],
        "losses in one unit, .*: is one a sum and another a mean",
    ),
    "units differ": ([drawn_run("cosine"), Run(schedule("jump", 600) * 100, [300, 599], [3.0, 2.0])], "in percent"),
}


@for_each("case", CANNOT_TELL)
def test_runs_that_cannot_tell_are_refused_with_the_run_to_add(case):
    runs, message = CANNOT_TELL[case]
    with pytest.raises(ValueError, match=message) as raised:
        LossForecast.fit(runs)
    assert len(str(raised.value)) <= 500


def test_wrong_types(forecast):
    with pytest.raises(TypeError, match="runs must be a list or tuple"):
        LossForecast.fit(drawn_run("cosine"))
    with pytest.raises(TypeError, match=r"runs\[0\] must be a Run"):
        LossForecast.fit([1])
    with pytest.raises(ValueError, match="num_events must be a whole number of at least 2"):
        forecast.predict(Constant(0.01), 1.5)
    with pytest.raises(TypeError, match="extrapolate must be True or False"):
        forecast.predict(Constant(0.01), 100, extrapolate="yes")
    with pytest.raises(TypeError, match="schedules must map two names or more"):
        forecast.rank([Constant(0.01)], 100)
    with pytest.raises(TypeError, match="schedules must map two names or more"):
        forecast.rank({"one": Constant(0.01)}, 100)
    with pytest.raises(TypeError, match="a name of schedules must be a string, given 1"):
        forecast.rank({1: Constant(0.01), 2: Constant(0.01)}, 100)


def test_an_error_says_how_to_install_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match=r"pip install 'lehr\[forecast\]'"):
        LossForecast.fit(drawn_runs())


def test_the_order_of_schedules(forecast):
    asked = {
        "constant": schedule("constant", EVENTS),
        "short": decay(30),
        "medium": decay(150),
        "cosine": schedule("cosine", EVENTS),
    }
    ranking = forecast.rank(asked, EVENTS)
    lrs = {name: one if isinstance(one, np.ndarray) else one(np.arange(EVENTS)) for name, one in asked.items()}
    truth = sorted(asked, key=lambda name: law(lrs[name], [EVENTS - 1])[0])
    assert list(ranking.names) == truth
    assert ranking.names[-1] == "constant"
    assert ranking.better[-1] > 0.95
    assert 0 <= ranking.probability <= min(ranking.better)
    assert "better than the next" in str(ranking)
    for name, loss in zip(ranking.names, ranking.losses, strict=True):
        assert loss == pytest.approx(forecast.final(asked[name], EVENTS))


def test_equal_schedules_are_as_good_as_tied(forecast):
    ranking = forecast.rank({"one": decay(100), "other": decay(100)}, EVENTS)
    assert 0.4 < ranking.better[0] < 0.6


def test_the_best_length_of_a_decay(forecast):
    best = forecast.best(
        WarmupStableDecay,
        num_events=EVENTS,
        peak_value=0.01,
        end_value=0.001,
        decay_type="linear",
        search={"num_decay_events": ("5%", "90%")},
    )
    assert best.num_warmup_events == 40  # as in the runs
    assert best.length == EVENTS
    assert isinstance(best.num_decay_events, int)
    finals = [forecast.final(decay(events), EVENTS) for events in range(30, 541, 5)]
    assert forecast.final(best, EVENTS) <= min(finals) + 1e-6


def test_the_best_of_two_arguments(forecast):
    search = {"num_decay_events": (30, 400), "end_value": (0.001, 0.008)}
    best = forecast.best(WarmupStableDecay, num_events=EVENTS, peak_value=0.01, num_warmup_events=20, search=search)
    assert best.num_warmup_events == 20
    assert 0.001 <= best.end_value <= 0.008
    corners = [
        WarmupStableDecay(0.01, 20, EVENTS - 20 - events, events, end_value=end)
        for events in (30, 100, 200, 400)
        for end in (0.001, 0.004, 0.008)
    ]
    assert forecast.final(best, EVENTS) <= min(forecast.final(one, EVENTS) for one in corners) + 1e-6


WRONG_SEARCHES = {
    "no class of schedules": ((Cosine, {"a": (0, 1)}), {}, TypeError, "must be a class of schedules"),
    "no bounds": ((WarmupStableDecay, {}), {}, TypeError, "search must be a mapping"),
    "no such argument": ((WarmupStableDecay, {"decay": (0, 1)}), {}, TypeError, "has no argument 'decay'"),
    "given twice": ((WarmupStableDecay, {"end_value": (0, 1)}), {"end_value": 1}, ValueError, "in both"),
    "no pair": ((WarmupStableDecay, {"end_value": 1}), {}, TypeError, "must be a pair"),
    "falling": ((WarmupStableDecay, {"end_value": (2, 1)}), {}, ValueError, "lowest and the highest"),
    "a percentage of no events": (
        (WarmupStableDecay, {"end_value": ("5%", "10%")}),
        {},
        ValueError,
        r"search\['end_value'\]\[0\] must be a number, since only events may be in percent, given '5%'",
    ),
    "a fixed percentage": (
        (WarmupStableDecay, {"num_decay_events": ("5%", "10%")}),
        {"peak_value": 0.01, "num_warmup_events": "10%"},
        TypeError,
        "num_warmup_events must be a number, given '10%'",
    ),
    "longer than the run": (
        (WarmupStableDecay, {"num_decay_events": ("5%", "10%")}),
        {"peak_value": 0.01, "end_value": 0.001, "num_stable_events": 1500},
        ValueError,
        "num_events must be at least 1570, the length of WarmupStableDecay.*, given 600",
    ),
    "no percentage": ((WarmupStableDecay, {"end_value": ("a", 1)}), {}, ValueError, "percentage of the run"),
    "outside the runs": (
        (WarmupStableDecay, {"num_decay_events": ("5%", "10%")}),
        {"peak_value": 0.02},
        ValueError,
        "no schedule within search can be forecast; the first error: schedule must have learning rates of at most 0.01",
    ),
}


@pytest.mark.parametrize("case", WRONG_SEARCHES)
def test_wrong_searches(forecast, case):
    (schedule_class, search), fixed, error, message = WRONG_SEARCHES[case]
    with pytest.raises(error, match=message) as raised:
        forecast.best(schedule_class, num_events=EVENTS, search=search, **fixed)
    assert len(str(raised.value)) <= 500


def test_an_error_about_an_array_has_one_line(forecast):
    with pytest.raises(ValueError, match="given 0.02 in an array: add a run") as raised:
        forecast.predict(np.full((EVENTS, 1), 0.02), EVENTS)
    assert "\n" not in str(raised.value)


def test_a_ranking_with_long_names(forecast):
    text = str(forecast.rank({"a" * 3000: decay(100), "two\nlines": decay(200)}, EVENTS))
    assert len(text.splitlines()) == 4
    assert max(map(len, text.splitlines())) < 120


def test_the_text_names_runs_by_the_ends_of_their_paths():
    runs = [Run(run.lrs, run.steps, run.losses, name=f"/a/{'long/' * 20}{run.name}.csv") for run in drawn_runs()]
    assert "long/constant.csv: mean error" in str(LossForecast.fit(runs))


def test_the_text_tells_the_law_its_error_and_its_range(forecast):
    text = str(forecast)
    for part in (
        "multi-power law",
        "L0",
        "gamma",
        "mean error",
        "left out",
        "from 0.001 to 0.01",
        "up to 2076",
        "momentum",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 120


def test_the_text_says_where_the_law_does_not_hold(forecast):
    constant, cosine, jump = drawn_runs(noise=0.001)
    in_bits = Run(jump.lrs, jump.steps, jump.losses / np.log(2))
    assert "the law describes these runs badly" in str(LossForecast.fit([constant, cosine, in_bits]))
    assert "badly" not in str(forecast)


def test_a_curve_as_a_picture_and_a_table(forecast, axes, tmp_path):
    curve = forecast.predict(decay(100), EVENTS)
    (line,) = curve.plot(axes, label="forecast", color="red")
    assert line.get_label() == "forecast"
    assert len(axes.collections) == 1  # the band
    curve.to_csv(tmp_path / "curve.csv")
    heading, *rows = (tmp_path / "curve.csv").read_text().splitlines()
    assert heading == "event_index,lr,loss,low,high"
    assert len(rows) == EVENTS
    assert rows[0] == "0,0.0,,,"
    assert float(rows[-1].split(",")[2]) == curve.final


def test_peaks_that_differ():
    """The fit also finds the power of the peak, since the runs have three peaks; the forecast is for a fourth one."""
    runs = [
        Run(lrs, np.arange(40, EVENTS, 8), law(lrs, range(40, EVENTS, 8)))
        for lrs in (schedule("constant", EVENTS), 0.7 * schedule("cosine", EVENTS), 0.5 * schedule("jump", EVENTS))
    ]
    forecast = LossForecast.fit(runs)
    lrs = 0.6 * schedule("linear", EVENTS, lowest=0.002)
    assert forecast.final(lrs, EVENTS) == pytest.approx(law(lrs, [EVENTS - 1])[0], rel=0.02)


def test_a_learning_rate_that_a_schedule_cannot_know(forecast):
    assert forecast.predict(LinearInterpolation([(0, 0.01), (EVENTS, 0.002)]), EVENTS).final > 0


@pytest.mark.parametrize("seed", range(3))
def test_losses_that_follow_no_law_give_a_wide_band(seed):
    random = np.random.default_rng(seed)
    runs = [Run(schedule(kind, 200), np.arange(50, 200, 9), random.lognormal(0, 2, 17)) for kind in ("cosine", "jump")]
    forecast = LossForecast.fit(runs)
    curve = forecast.predict(schedule("linear", 300), 300)
    assert curve.high[-1] > 3 * curve.low[-1] > 0
    assert np.isfinite(curve.high[-1])
    assert forecast.rank({"one": runs[0].lrs, "other": runs[1].lrs}, 190).probability < 0.9


def test_final_losses_at_one_length_under_two_schedules():
    """Some numbers of the law stay free: ``L0`` and ``A`` can change together."""
    random = np.random.default_rng(0)
    kinds = ["cosine", "jump"] * 6
    runs = [Run(schedule(kind, 300), [299], [2.5 + 0.1 * (kind == "jump") + 0.001 * random.random()]) for kind in kinds]
    ranking = LossForecast.fit(runs).rank({kind: schedule(kind, 300) for kind in ("jump", "cosine")}, 300)
    assert ranking.names == ("cosine", "jump")
    assert 0.6 < ranking.probability < 0.9  # the runs of one schedule do not tell the loss of the other
