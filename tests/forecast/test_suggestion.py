"""What a range test suggests for loss curves of a known shape, and how its result is printed and drawn."""

import dataclasses

import numpy as np
import pytest
from cases import for_each
from matplotlib import pyplot as plt

from lehr.handlers.forecast import LRRangeTest
from lehr.handlers.forecast.suggestion import smoothed, suggest

LRS = np.geomspace(1e-6, 10, 100)
X = np.log10(LRS)


def falling(center=-3.0, width=0.4, start=2.3, low=0.3):
    """Return a logistic curve that falls most steeply at the learning rate ``10 ** center``."""
    return low + (start - low) / (1 + np.exp((X - center) / width))


def rising(at, steepness=6.0):
    return 10 ** (steepness * (X - at))


def noisy(loss, std, runs=3, seed=0):
    return loss + np.random.default_rng(seed).normal(0, std, (runs, len(loss)))


@for_each("center", [-4.0, -3.0, -2.5])
@for_each("std", [0.0, 0.05, 0.2])
def test_the_steepest_point_is_found_in_noise(center, std):
    losses = np.maximum(noisy(falling(center) + rising(center + 3), std), 0.01)
    found = suggest(LRS, losses, 100)
    assert found.lr is not None
    assert abs(np.log10(found.lr) - center) < (0.1 if std == 0 else 0.5)
    assert abs(np.log10(found.diverges_at) - center - 3) < 0.25
    assert f"falls most steeply at {found.lr:.3g}: it goes from" in found.reason
    assert f"diverges from {found.diverges_at:.3g} on" in found.reason


@for_each("seed", range(20))
@for_each("runs", [1, 3])
def test_noise_alone_suggests_nothing(seed, runs):
    found = suggest(LRS, noisy(np.full(100, 2.3), 0.1, runs, seed), 100)
    assert found.lr is None
    assert found.reason.startswith("the loss does not fall clearly at any learning rate: it is 2.")


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        (falling(-6.0), "the loss falls most steeply where the range starts: it goes from"),
        (falling(1.0), "the loss falls most steeply where the range ends: it goes from"),
        (2.3 + rising(-4), "the loss does not fall clearly at any learning rate"),
        (np.full(100, 2.3), "the loss does not fall clearly at any learning rate"),
        (2.3 + 4e-16 * rising(1), "the loss does not fall clearly at any learning rate"),
        (np.full(100, np.nan), "the run has no more than 0 steps with a finite loss"),
        (np.where(np.arange(100) < 7, 2.3, np.nan), "the run has no more than 7 steps with a finite loss"),
    ],
)
def test_without_a_clear_answer_there_is_none(losses, words):
    found = suggest(LRS, losses[None], 100)
    assert found.lr is None
    assert words in found.reason


def test_where_one_run_diverges_early_there_is_no_suggestion():
    losses = np.stack([falling(-2), falling(-2), falling(-2) + rising(-2.6, 20)])
    found = suggest(LRS, losses, 100)
    assert found.lr is None
    assert "one of the 3 runs diverges at" in found.reason


def test_a_run_that_does_not_diverge_says_so():
    found = suggest(LRS, falling()[None], 100)
    assert found.diverges_at is None
    assert found.reason.endswith("No run diverges up to 10")


def test_a_run_that_the_finder_stops_diverges_there():
    losses = np.stack([falling(), falling()])
    losses[1, 80:] = np.nan
    assert suggest(LRS, losses, 100).diverges_at == LRS[79]
    assert suggest(LRS[:80], losses[:, :80], 100).diverges_at == LRS[79]


def test_smoothing_is_on_both_sides_and_one_spike_does_not_bend_the_curve():
    loss = falling()
    spiked = loss.copy()
    spiked[60] = 1e12
    curve, bent = smoothed(np.stack([loss, spiked]), 100)
    assert np.abs(curve - loss).max() < 0.1
    assert np.abs(bent - loss).max() < 3.0
    both = [smoothed(one[None], 100)[0] for one in (loss + 1, loss[::-1] + 1)]
    np.testing.assert_allclose(both[0], both[1][::-1])


@pytest.fixture
def result():
    losses = np.maximum(noisy(falling() + rising(0), 0.05), 0.01)
    return LRRangeTest(LRS, losses, (0, 1, 2), (1.0, 0.1), 100)


def test_it_prints_in_a_few_short_lines(result):
    lines = str(result).splitlines()
    assert lines[0].startswith("suggested lr: 0.00")
    assert lines[-1] == "3 runs of up to 100 steps, from lr 1e-06 to 10, seeds 0, 1, 2"
    assert len(lines) <= 5
    assert max(map(len, lines)) <= 104
    assert len(repr(result)) <= 120
    many = LRRangeTest(LRS, np.stack([falling()] * 50), tuple(range(50)), (1.0,) * 200, 100)
    assert len(repr(many)) <= 120
    assert max(map(len, str(many).splitlines())) <= 120
    assert "<img" in result._repr_html_()


def test_it_is_frozen_and_keeps_no_array_of_another(result):
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.suggestion = 1.0
    with pytest.raises(ValueError, match="read-only"):
        result.lrs[0] = 1.0
    assert LRS.flags.writeable


def test_without_a_suggestion_the_learning_rates_of_groups_are_an_error():
    none = LRRangeTest(LRS, np.full((1, 100), 2.3), (0,), (1.0,), 100)
    assert str(none).startswith("no lr suggested\nthe loss does not fall clearly")
    assert repr(none) == "<LRRangeTest of 1 run: no lr suggested>"
    with pytest.raises(ValueError, match="lr must be a number, given None; the loss does not fall clearly"):
        none.of_groups(none.suggestion)


def test_the_picture_has_a_band_a_median_and_both_learning_rates(result, axes):
    assert result.plot(axes) is axes
    low, median, high = result.band()
    assert (low <= median).all()
    assert (median <= high).all()
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [
        "least to greatest of 3 runs", "loss of each step", "median, smoothed",
        f"suggested {result.suggestion:.3g}", f"diverges from {result.diverges_at:.3g}",
    ]  # fmt: skip
    assert axes.get_title() == "Learning rate range test"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate of the first param group", "loss")
    assert axes.get_xscale() == "log"
    (line,) = [one for one in axes.lines if one.get_label() == "median, smoothed"]
    np.testing.assert_array_equal(line.get_ydata(), median)
    figures = plt.get_fignums()
    own = result.plot()
    assert plt.get_fignums() != figures
    plt.close(own.figure)
