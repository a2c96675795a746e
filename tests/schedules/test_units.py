"""Tests of durations such as ``"10%"``, and of their conversion to events by the length of a run."""

import re
from fractions import Fraction

import pytest
from cases import for_each
from hypothesis import assume, given
from hypothesis import strategies as st

from lehr.handlers import RunLength
from lehr.handlers.schedules import duration_texts

TEXTS = [
    ("10%", 10, "percent"),
    (" 2.5 % ", Fraction(5, 2), "percent"),
    ("10 percent", 10, "percent"),
    ("3 epochs", 3, "epochs"),
    ("1 Epoch", 1, "epochs"),
    (".5 epochs", Fraction(1, 2), "epochs"),
    ("500 steps", 500, "steps"),
    ("10_000 iterations", 10_000, "steps"),
    ("7events", 7, "events"),
    ("2B tokens", 2 * 10**9, "tokens"),
    ("2 B tokens", 2 * 10**9, "tokens"),
    ("2 Tokens", 2, "tokens"),
    ("1.5M samples", 1_500_000, "samples"),
    ("1k samples", 1000, "samples"),
    ("1K samples", 1000, "samples"),
    ("0.1T tokens", 10**11, "tokens"),
    ("3G tokens", 3 * 10**9, "tokens"),
    ("1e6 tokens", 10**6, "tokens"),
    ("30 min", 1_800_000, "milliseconds"),
    ("8 h", 28_800_000, "milliseconds"),
    ("90 s", 90_000, "milliseconds"),
    ("2 days", 172_800_000, "milliseconds"),
    ("250 ms", 250, "milliseconds"),
    ("1.5 hours", 5_400_000, "milliseconds"),
]


@for_each(("text", "amount", "unit"), TEXTS)
def test_a_text_has_an_exact_amount_and_a_unit(text, amount, unit):
    assert duration_texts.quantity("duration", text) == (amount, unit, text)


REFUSED = ["", "10", "%", "-1%", "1,000 steps", "1e500 steps", "1/2 epochs", "3 parsecs", "nan%", "\u0663 steps"]
REFUSED += [
    "30 m",
    "1m tokens",
    "2Btokens",
    "1 2 steps",
    "5 M",
    "9" * 100 + " steps",
    "__1 steps",
    "1..2%",
    "inf epochs",
]


@for_each("text", REFUSED)
def test_an_unreadable_text_raises_an_error_that_shows_it(text):
    with pytest.raises(ValueError, match=r"^warmup must .*given '") as caught:
        duration_texts.quantity("warmup", text)
    assert len(str(caught.value)) <= 500


def test_a_threshold_may_be_a_text_without_a_unit():
    assert duration_texts.quantity("at", "4M", unit="tokens") == (4_000_000, "tokens", "4M")
    assert duration_texts.quantity("at", "3 epochs", unit="tokens").unit == "epochs"


def test_only_a_time_is_read_as_milliseconds():
    assert duration_texts.milliseconds("budget", "8 h") == 28_800_000
    with pytest.raises(ValueError, match=r"budget must be a time such as '90 s', '30 min' or '8 h', given '10%'"):
        duration_texts.milliseconds("budget", "10%")
    with pytest.raises(ValueError, match=r"budget must be 0 or at least 1 .*given '0.1 ms'"):
        duration_texts.milliseconds("budget", "0.1 ms")
    with pytest.raises(TypeError, match=r"budget must be a text such as .*given 3"):
        duration_texts.milliseconds("budget", 3)


RUN = {"max_epochs": 10, "epoch_length": 500, "tokens_per_step": 524_288, "samples_per_step": 256}
EVENTS = [
    (RUN, "10%", 500),
    (RUN, "100%", 5000),
    (RUN, "0%", 0),
    (RUN, "3 epochs", 1500),
    (RUN, "0.5 epochs", 250),
    (RUN, "7 steps", 7),
    (RUN, "7 events", 7),
    (RUN, 7, 7),
    (RUN, "1B tokens", 1907),  # 1907.3
    (RUN, "1.28M samples", 5000),
    (RUN, "120%", 6000),
    ({"total_steps": 1050}, "1%", 11),  # 10.5: halves up
    ({"total_steps": 250}, "1%", 3),  # 2.5, which Python's round makes 2
    ({"total_steps": 1050, "epoch_length": 100}, "10.5 epochs", 1050),
    ({"total_steps": 5000, "total_tokens": 10**9}, "250M tokens", 1250),
    ({"max_epochs": 10, "total_steps": 5000}, "3 epochs", 1500),
    ({"total_tokens": "1.2B", "tokens_per_step": 524_288}, "100%", 2289),  # 2288.8: the last step is a part of one
    ({"total_tokens": "1.2B", "tokens_per_step": 524_288}, "1.2B tokens", 2289),
    ({"total_tokens": 10_100, "tokens_per_step": 1000}, "10.1k tokens", 11),  # 10.1, and the run has 11 steps
    ({"max_epochs": 90, "counts": "epochs"}, "10%", 9),
    ({"max_epochs": 90, "epoch_length": 100, "counts": "epochs"}, "250 steps", 3),
    ({"total_tokens": "1.2B", "counts": "tokens"}, "10%", 120_000_000),
    ({"counts": "tokens"}, "2B tokens", 2 * 10**9),
    ({"tokens_per_step": 1000, "counts": "tokens"}, "30 steps", 30_000),
    ({**RUN, "counts": "samples"}, "1 epochs", 128_000),
    ({"counts": "milliseconds"}, "30 min", 1_800_000),
    ({"counts": "milliseconds", "total_time": "8 h"}, "15%", 4_320_000),
]


@for_each(("numbers", "duration", "events"), EVENTS)
def test_a_duration_is_converted_to_events_by_the_run(numbers, duration, events):
    assert RunLength(**numbers).events_of(duration) == events


MISSING = [
    ({}, "10%", "given '10%': give the run total_steps, or max_epochs and epoch_length"),
    ({"max_epochs": 3}, "10%", "given '10%': give the run epoch_length, or counts='epochs' if"),
    ({"counts": "epochs"}, "10%", "given '10%': give the run max_epochs"),
    ({"counts": "tokens"}, "10%", "given '10%': give the run total_tokens"),
    ({"total_steps": 100}, "2B tokens", "convert to steps, given '2B tokens': give the run tokens_per_step"),
    ({"total_steps": 100}, "2 epochs", "given '2 epochs': give the run epoch_length"),
    ({"total_steps": 100}, "2 samples", "given '2 samples': give the run samples_per_step"),
    ({"counts": "tokens"}, "2 epochs", "given '2 epochs': give the run epoch_length and tokens_per_step"),
    ({"total_steps": 100}, "30 min", "given '30 min': attach the scheduler with a TimeClock"),
    ({"counts": "milliseconds"}, "10%", "given '10%': give the run its total_time"),
    ({"counts": "milliseconds"}, "3 steps", "given '3 steps': give a time such as '30 min'"),
    ({"total_steps": 10}, "1%", "warmup must be 0 or at least 1 after rounding .*given '1%', which is 0.1 events"),
    ({"total_steps": 10}, -1, "warmup must be a whole number of at least 0, given -1"),
    ({"total_steps": 10}, "9e15 steps", "warmup must be at most .*given '9e15 steps'"),
]


@for_each(("numbers", "duration", "text"), [(a, b, c) for a, b, c in MISSING if b != "9e15 steps"])
def test_an_error_names_the_missing_argument_of_the_run(numbers, duration, text):
    with pytest.raises(ValueError, match=text):
        RunLength(**numbers).events_of(duration, name="warmup")


def test_too_many_events_are_refused():
    with pytest.raises(ValueError, match="warmup must be at most 9007199254740992 events, given '10T epochs'"):
        RunLength(epoch_length=10**6).events_of("10T epochs", name="warmup")


INCONSISTENT = [
    (
        {"max_epochs": 3, "epoch_length": 4, "total_steps": 10},
        "total_steps must be max_epochs * epoch_length = 3 * 4 = 12, given 10",
    ),
    (
        {"total_steps": 100, "total_tokens": 1000, "tokens_per_step": 20},
        "all arguments must lead to the same number of steps, given total_steps = 100, and "
        "total_tokens / tokens_per_step = 1000 / 20 = 50",
    ),
    (
        {"total_samples": 100, "samples_per_step": 10, "total_tokens": 1000, "tokens_per_step": 20},
        "all arguments must lead to the same number of steps, given total_tokens / tokens_per_step = 1000 / 20 = 50, "
        "and total_samples / samples_per_step = 100 / 10 = 10",
    ),
    ({"max_epochs": 0}, "max_epochs must be a whole number of at least 1, given 0"),
    ({"tokens_per_step": 0}, "tokens_per_step must be more than 0, given 0"),
    ({"total_tokens": "3 epochs"}, "total_tokens must be a whole number of tokens, given '3 epochs'"),
    (
        {"counts": "calls"},
        "counts must be one of 'steps', 'epochs', 'tokens', 'samples', 'milliseconds', given 'calls'",
    ),
    ({"total_time": "8 h"}, "total_time must be left out if counts is not 'milliseconds', given '8 h'"),
]


@pytest.mark.parametrize(("numbers", "text"), INCONSISTENT)
def test_contradicting_numbers_raise_an_error_with_the_arithmetic(numbers, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        RunLength(**numbers)


def test_the_last_step_may_be_incomplete():
    for steps in (2288, 2289):  # a loader that drops the last batch, and one that does not
        run = RunLength(total_steps=steps, total_tokens="1.2B", tokens_per_step=524_288)
        assert run.events_of_phases(["600M tokens", "50%"])[0] == 1144
        assert sum(run.events_of_phases(["600M tokens", "50%"])) == steps == run.events_of("1.2B tokens")


NUMBERS = st.integers(1, 10**6)


@st.composite
def runs(draw):
    """Draw a consistent length of a run that knows all units except time."""
    epochs, length = draw(st.integers(1, 300)), draw(st.integers(1, 10**5))
    tokens, samples = draw(NUMBERS), draw(st.integers(1, 4096))
    given = {"tokens_per_step": tokens, "samples_per_step": samples, "epoch_length": length}
    if draw(st.booleans()):
        given |= {"max_epochs": epochs}
    else:
        total = draw(st.integers(1, 10**7))
        given |= {"total_steps": -(-total // tokens)} if draw(st.booleans()) else {}
        given |= {"total_tokens": total}
    return RunLength(**given)


def amount_of(run, unit):
    """Return the exact length of the run in a unit."""
    rate = {"tokens": run.tokens_per_step, "samples": run.samples_per_step, "steps": 1, "percent": None}.get(unit)
    if unit == "percent":
        return Fraction(100)
    if unit == "tokens" and run.total_tokens is not None:
        return Fraction(run.total_tokens)
    return Fraction(run.steps, run.epoch_length) if unit == "epochs" else Fraction(run.steps * rate)


def decimal(amount):
    """Return an amount as an exact decimal text, or None if there is no such text."""
    scaled = amount * 10**9
    return f"{scaled.numerator // 10**9}.{scaled.numerator % 10**9:09d}" if scaled.denominator == 1 else None


@given(run=runs(), weights=st.lists(st.integers(1, 50), min_size=1, max_size=6), data=st.data())
def test_phases_in_any_mixture_of_units_add_up_to_the_run(run, weights, data):
    durations = []
    for weight in weights:
        unit = data.draw(st.sampled_from(["percent", "epochs", "steps", "tokens", "samples"]))
        text = decimal(amount_of(run, unit) * Fraction(weight, sum(weights)))
        assume(text is not None)
        durations.append(f"{text} {unit}")
    exact = [run.exact_events(one) for one in durations]
    try:
        events = run.events_of_phases(durations)
    except ValueError as error:
        assert "must be 0 or at least 1 after rounding" in str(error)
        assert min(exact) < 1
        return
    assert sum(events) == run.num_events
    assert all(abs(one - near) <= 1.5 for one, near in zip(events, exact, strict=True))


@given(
    total=st.integers(1000, 10**12),
    parts=st.lists(st.integers(1, 99), min_size=1, max_size=8).filter(lambda parts: sum(parts) < 100),
)
def test_percentages_that_sum_to_100_fill_any_run_exactly(total, parts):
    texts = [f"{part}%" for part in (*parts, 100 - sum(parts))]
    assert sum(RunLength(total_steps=total).events_of_phases(texts)) == total


@given(run=runs())
def test_the_total_of_each_unit_converts_to_the_whole_run(run):
    for unit in ("percent", "epochs", "steps", "tokens", "samples"):
        if (text := decimal(amount_of(run, unit))) is not None:
            assert run.events_of(f"{text} {unit}") == run.num_events
    assert RunLength(**run.config()) == run


PARTS = [
    (9 * 10**8, 12 * 10**8, "tokens", "0.9 of 1.2B tokens"),
    (500, 999, "samples", "500 of 999 samples"),
    (1.5, 3, "epochs", "1.5 of 3 epochs"),
    (1200, 1600, "steps", "1200 of 1600 steps"),
    (5_400_000, 28_800_000, "milliseconds", "1.5 of 8 h"),
    (30_000, 90_000, "milliseconds", "30 of 90 s"),
]


@pytest.mark.parametrize(("part", "whole", "unit", "text"), PARTS)
def test_a_part_of_a_whole_in_words(part, whole, unit, text):
    assert duration_texts.shown_part(Fraction(part), Fraction(whole), unit) == text


@given(run=runs(), events=st.integers(0, 10**6))
def test_events_in_a_unit_are_converted_back(run, events):
    for unit in ("epochs", "steps", "tokens", "samples"):
        amount = run.amount_of(events, unit)
        if (text := decimal(amount)) is not None and len(text) < 40:
            assert run.exact_events(f"{text} {unit}") == events
    assert run.amount_of(run.num_events, "percent") == 100


def test_the_most_events_are_those_of_a_float():
    assert duration_texts.positive("duration", Fraction(2**53), 2**53, "'9 steps'") == 2**53
    with pytest.raises(ValueError, match=f"duration must be at most {2**53} events, given '9 steps'"):
        duration_texts.positive("duration", Fraction(2**53 + 1), 2**53 + 1, "'9 steps'")
