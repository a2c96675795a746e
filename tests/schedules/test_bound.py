"""Tests of ``rank_by_bound``: its terms by hand, its properties, and the published losses of real runs."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st

from lehr.handlers import LinearScheduler
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    Cosine,
    Plateau,
    WarmupStableDecay,
    rank_by_bound,
)
from lehr.handlers.schedules.ranking.by_bound import bound_terms

SCHEDULER = LinearScheduler(
    torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1), "lr", 10, start_value=0.1, end_value=0.01
)
CURVES = os.environ.get("LEHR_LOSS_CURVES", "")
needs_curves = pytest.mark.skipif(
    not CURVES, reason="LEHR_LOSS_CURVES names no folder; the losses are public: github.com/fabian-sp/lr-scheduling"
)

LINEAR, CONSTANT = Anneal(1.0, 0.0, 100), Constant(1.0)


def by_definition(rates, norms):
    """Return the bound for D = 1 by the formula of the theorem, in two loops."""
    total = len(rates)
    sums = [sum(rates[k:]) for k in range(total)]
    squares = [sum(rate**2 * norm**2 for rate, norm in zip(rates[k:], norms[k:], strict=True)) for k in range(total)]
    bound = 1 / (2 * sums[0]) + squares[0] / (2 * sums[0])
    return bound + 0.5 * sum(rates[k] / sums[k + 1] * squares[k] / sums[k] for k in range(total - 1))


@given(
    st.lists(st.tuples(st.floats(1e-3, 10), st.floats(1e-2, 10)), min_size=1, max_size=30),
)
def test_bound_terms_equal_the_theorem(pairs):
    rates, norms = np.array(pairs).T
    assert sum(bound_terms(rates, norms)) == pytest.approx(by_definition(rates, norms), rel=1e-9)


def test_zeros_before_the_end_follow_the_theorem():
    rates = np.array([0.0, 1.0, 0.0, 0.5])
    assert sum(bound_terms(rates, np.ones(4))) == pytest.approx(by_definition(rates, np.ones(4)))


@for_each(
    ["values", "bound", "factor"],
    [
        ([1.0], 1.0, 1.0),  # T1 = T2 = 1/2
        ([1.0, 1.0], 2 * np.sqrt(0.25 * 1.0), 0.5),  # T1 = 1/4, T2 = (1 + 1) / 2
        ([2.0, 1.0], 2 * np.sqrt(1 / 6 * 2.5), np.sqrt(1 / 15)),  # T1 = 1/6, T2 = (4 / 1 + 1) / 2
        ([2.0, 1.0, 0.0], 2 * np.sqrt(1 / 6 * 2.5), np.sqrt(1 / 15)),  # the last zero moves nothing
        ([2.0, 1.0, 1e-17], 2 * np.sqrt(1 / 6 * 2.5), np.sqrt(1 / 15)),  # nor does a zero with a rounding error
    ],
)
def test_numbers_by_hand(values, bound, factor):
    [one] = rank_by_bound({"it": values}, len(values))
    assert (one.bound, one.factor, one.excess) == pytest.approx((bound, factor, 0.0))


def test_the_least_bound_is_at_the_best_factor():
    rates = LINEAR(np.arange(100))
    best = rank_by_bound({"it": rates}, 100, distance=3.0, gradient_norms=2.0)["it"].factor
    bounds = [
        rank_by_bound({"it": factor * best * rates}, 100, distance=3.0, gradient_norms=2.0)[0].bound
        for factor in (0.9, 0.99, 1.0, 1.01, 1.1)
    ]
    assert np.argmin(bounds) == 2
    assert bounds[2] == pytest.approx(
        rank_by_bound({"it": rates}, 100, distance=3.0, gradient_norms=2.0)[0].bound, abs=9
    )
    tuned = rank_by_bound({"it": rates}, 100, gradient_norms=2.0)[0].bound
    assert bounds[2] == pytest.approx(3.0 * tuned)


@given(st.one_of(st.floats(1e-6, 1e6), st.sampled_from([1e-300, 1e200])), st.floats(1e-3, 1e3))
def test_the_ranking_of_shapes_ignores_the_size_of_the_values(size, norm):
    schedules = {"linear": LINEAR, "constant": CONSTANT, "cosine": Anneal(1.0, 0.0, 100, curve=Cosine())}
    scaled = {name: size * one(np.arange(100)) for name, one in schedules.items()}
    one, other = rank_by_bound(schedules, 100), rank_by_bound(scaled, 100, gradient_norms=norm)
    assert one.names == other.names == ["linear", "cosine", "constant"]
    assert [item.excess for item in other] == pytest.approx([item.excess for item in one])
    assert [item.peak * norm for item in other] == pytest.approx([item.peak for item in one])


@for_each("num_events", [10, 100, 1000, 10_000])
def test_a_constant_rate_has_a_logarithm_and_a_linear_decay_has_none(num_events):
    ranking = rank_by_bound({"linear": Anneal(1.0, 0.0, num_events), "constant": CONSTANT}, num_events)
    harmonic = np.sum(1 / np.arange(1, num_events))
    assert ranking["constant"].bound * np.sqrt(num_events) == pytest.approx(np.sqrt(1 + harmonic))
    assert ranking["linear"].bound * np.sqrt(num_events) == pytest.approx(2, rel=0.2 if num_events < 100 else 0.04)


def test_large_gradients_at_the_beginning_favour_a_warm_up():
    norms = np.where(np.arange(1000) < 50, 30.0, 1.0)
    warm = Concatenation([Anneal(0.0, 1.0, 50), Anneal(1.0, 0.0, 950)], [50])
    schedules = {"warm": warm, "cold": Anneal(1.0, 0.0, 1000)}
    assert rank_by_bound(schedules, 1000).names == ["cold", "warm"]
    assert rank_by_bound(schedules, 1000, gradient_norms=norms).names == ["warm", "cold"]


def test_a_million_events_are_ranked_fast():
    import time

    began = time.thread_time()
    rank_by_bound({"linear": Anneal(1.0, 0.0, 10**6)}, 10**6)
    assert time.thread_time() - began < 5


def test_a_ranking_prints_as_a_table():
    ranking = rank_by_bound([LINEAR, CONSTANT], 100, distance=2.0)
    assert str(ranking).splitlines()[0] == "a bound for convex problems: it ranks shapes, and predicts no loss"
    least, constant = [line.split()[-2:] for line in str(ranking).splitlines()[2:]]
    assert least == ["least", f"{ranking[0].factor:.3g}"]
    assert constant == [f"+{ranking[1].excess:.1%}", f"{ranking[1].factor:.3g}"]
    assert repr(ranking) == f"<BoundRanking of '{ranking.names[0]}', '{ranking.names[1]}'>"
    assert ranking[0] is ranking[ranking.names[0]]
    assert len(ranking[:1]) == 1
    with pytest.raises(KeyError, match="the ranking has"):
        ranking["cosine"]


@for_each(
    ["error", "words", "schedules", "num_events", "more"],
    [
        (ValueError, "at least one schedule", {}, 10, {}),
        (TypeError, "schedules must be a list or tuple", 3, 10, {}),
        (TypeError, "a name of schedules must be a string", {3: CONSTANT}, 10, {}),
        (TypeError, "schedules\\['it'\\] must be a number, given 'lr'", {"it": "lr"}, 10, {}),
        (TypeError, "given a scheduler; pass its schedule", {"it": SCHEDULER}, 10, {}),
        (ValueError, "at least 0, given -1 at event 0", {"it": Constant(-1.0)}, 10, {}),
        (ValueError, "a list of 10 numbers", {"it": [1.0, 2.0]}, 10, {}),
        (ValueError, "must have a value above 0 in 10 events", {"it": Constant(0.0)}, 10, {}),
        (ValueError, "finite", {"it": [np.nan] * 10}, 10, {}),
        (ValueError, "one value for all groups, given 2 groups", {"it": Constant([0.1, 0.2])}, 10, {}),
        (ValueError, "must be a pure schedule", {"it": Plateau(initial_value=0.1)}, 10, {}),
        (ValueError, "num_events must be a whole number of at least 1", {"it": CONSTANT}, 0, {}),
        (ValueError, "distance must be more than 0", {"it": CONSTANT}, 10, {"distance": 0.0}),
        (ValueError, "gradient_norms must be above 0", {"it": CONSTANT}, 10, {"gradient_norms": 0.0}),
        (ValueError, "gradient_norms must be a number, or a list", {"it": CONSTANT}, 10, {"gradient_norms": [1.0]}),
    ],
)
def test_wrong_arguments(error, words, schedules, num_events, more):
    with pytest.raises(error, match=words) as raised:
        rank_by_bound(schedules, num_events, **more)
    assert len(str(raised.value)) <= 500


def test_the_bound_imports_only_numpy():
    code = (
        "import sys, lehr.handlers.schedules as s; s.rank_by_bound([s.Constant(1.0)], 5); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def published(iterations):
    """Return the schedules, peaks and losses of the published runs that did not diverge."""
    found = []
    for row in csv.DictReader((Path(CURVES) / "final_losses_124M.csv").read_text().splitlines()):
        total, warm, peak = int(row["iterations"]), int(row["warmup_steps"]), float(row["peak_lr"])
        if total != iterations or float(row["final_val_loss"]) > 5:
            continue
        low, fraction = peak * float(row["final_lr_fraction"]), float(row["decay_fraction"])
        if row["schedule"] == "cosine":
            schedule = Concatenation([Anneal(0.0, peak, warm), Anneal(peak, low, total - warm, curve=Cosine())], [warm])
            shape = f"cosine to {row['final_lr_fraction']}"
        else:
            decay = min(round(fraction * total), total - warm)
            kind = {"linear": "linear", "sqrt": "1-sqrt"}[row["decay_curve"]]
            schedule = WarmupStableDecay(peak, warm, total - warm - decay, decay, end_value=low, decay_type=kind)
            shape = f"{kind} decay in {fraction:g}"
        found.append((f"{shape}, peak {peak:g}", shape, peak, schedule, float(row["final_val_loss"])))
    return found


def rank_correlation(one, other):
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


@needs_curves
def test_published_losses_of_50_000_steps():
    runs = published(50_000)
    assert len(runs) == 49
    # The distance comes from the best peak of one schedule: the vertex of a parabola through the three best peaks.
    cosine = sorted((peak, loss) for _, shape, peak, _, loss in runs if shape == "cosine to 0.0")
    best = min(range(len(cosine)), key=lambda at: cosine[at][1])
    peaks, losses = np.array(cosine[best - 1 : best + 2]).T
    curve = np.polyfit(np.log(peaks), losses, 2)
    best_peak = np.exp(-curve[1] / (2 * curve[0]))
    assert best_peak == pytest.approx(1.6e-3, rel=0.05)
    schedules = {name: schedule for name, _, _, schedule, _ in runs}
    distance = best_peak / rank_by_bound(schedules, 50_000)["cosine to 0.0, peak 0.002"].peak
    ranking = rank_by_bound(schedules, 50_000, distance=distance)
    bounds = np.array([ranking[name].bound for name in schedules])
    losses = np.array([loss for *_, loss in runs])
    differ = np.abs(losses[:, None] - losses) > 0.0017  # two runs with the same settings differed by this
    agree = (bounds[:, None] - bounds) * (losses[:, None] - losses) > 0
    of_shapes = []
    for shape in dict.fromkeys(run[1] for run in runs):
        at = [place for place, run in enumerate(runs) if run[1] == shape]
        of_shapes.append(rank_correlation(bounds[at], losses[at]))
    # Measured: a correlation of 0.892 for all runs, 90.3% of the pairs in the right order, and an average correlation
    # of 0.95 for the peaks of one shape. The best distance gives 0.898 for all runs.
    assert rank_correlation(bounds, losses) > 0.885
    assert agree[differ].mean() > 0.9
    assert np.mean(of_shapes) > 0.94
