"""Tests that compare schedules with their formulas in plain Python, and noise with torch."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from cases import for_each
from hypothesis import given, settings
from hypothesis import strategies as st

from lehr.handlers.schedules import (
    Addition,
    Anneal,
    Approach,
    Assignment,
    Bounded,
    Constant,
    Cooldown,
    Cosine,
    CosineAnnealing,
    CumulativeProduct,
    Exponential,
    ExponentialDecay,
    FunctionSchedule,
    Greedy,
    KDecay,
    Linear,
    Logarithmic,
    MultiStepDecay,
    Noise,
    Plateau,
    Polynomial,
    Power,
    Product,
    Recursion,
    Reduced,
    Restarts,
    Reversed,
    Rex,
    Scaling,
    Schedule,
    Shift,
    Stairs,
    StepDecay,
    Stretch,
    Tanh,
    Turn,
    WarmupStableDecay,
    Window,
)
from lehr.handlers.schedules import ignite_cycles as growing
from lehr.handlers.schedules.mersenne_twister import first_words

values, lengths = st.floats(-3, 3), st.floats(1, 30)
indices = st.lists(st.integers(0, 200), min_size=1, max_size=5)
CURVES = {
    "linear": (Linear(), lambda p: p),
    "cosine": (Cosine(), lambda p: (1 - math.cos(math.pi * p)) / 2),
    "power": (Power(0.5), math.sqrt),
    "polynomial": (Polynomial(3.0), lambda p: 1 - (1 - p) ** 3),
    "exponential": (Exponential(0.2), lambda p: (1 - 0.2**p) / 0.8),
    "logarithmic": (Logarithmic(8.0), lambda p: math.log(1 + 7 * p) / math.log(8)),
    "stairs": (Stairs(4), lambda p: math.floor(4 * p + 1e-12) / 4),
    "tanh": (Tanh(-2.0, 1.0), lambda p: (1 + math.tanh(-2 * (1 - p) + p)) / 2),
    "rex": (Rex(), lambda p: 1 - (1 - p) / (0.5 + 0.5 * (1 - p))),
    "k-decay": (KDecay(Cosine(), 2.0), lambda p: (1 - math.cos(math.pi * p**2)) / 2),
    "reversed": (Reversed(Power(0.5)), lambda p: 1 - math.sqrt(1 - p)),
}
curves = pytest.mark.parametrize("curve", CURVES)


def agree(schedule, formula, events):
    expected = np.array([formula(event) for event in events])
    np.testing.assert_allclose(schedule(np.array(events)), expected, rtol=1e-12, atol=1e-12)
    assert schedule(events[0]) == schedule(np.array(events))[0]


@curves
@given(values, values, lengths, indices)
def test_anneal(curve, start, end, length, events):
    ours, f = CURVES[curve]
    few_ulps = 4 * np.finfo(np.float64).eps  # of the progress, which a root makes much of where it is next to 0

    def progress(event, beyond):
        p, whole = Fraction(event) / Fraction(length), max(math.ceil(event / length), 1)
        return float({"hold": min(p, 1), "mirror": 1 - abs(p % 2 - 1), "stretch": p / whole}[beyond])

    for beyond in ("hold", "mirror", "stretch"):
        values_of_events = Anneal(start, end, length, ours, beyond)(np.array(events))
        for event, value in zip(events, values_of_events, strict=True):
            near = [min(max(progress(event, beyond) + by, 0.0), 1.0) for by in (-few_ulps, 0.0, few_ulps)]
            expected = sorted(start + (end - start) * f(p) for p in near)
            slack = 1e-12 * max(1.0, abs(expected[0]), abs(expected[-1]))
            assert expected[0] - slack <= value <= expected[-1] + slack


@given(
    values,
    values,
    st.integers(1, 9),
    st.sampled_from([1, 1.1, 1.2, 1.5, 2, 3]),
    st.floats(0.5, 1.2),
    st.integers(0, 4),
    indices,
)
def test_restarts(start, end, period, mult, weight, cycles, events):
    def formula(event):
        begin, k, length = 0.0, 0, float(period)
        while begin + length <= event + 1e-9:
            begin, k, length = begin + length, k + 1, length * mult
        if cycles and k >= cycles:
            return end
        top = start * weight**k
        return top + (end - top) * (1 - math.cos(math.pi * max(event - begin, 0) / length)) / 2

    restarts = Restarts(start, end, period, mult, weight, cycles or None)
    agree(restarts, formula, [min(event, 200) for event in events])


def test_restarts_begin_where_exact_arithmetic_says():
    """11 / 1.1 is rounded up to 10, but the float 1.1 is a little more than 1.1."""
    for period, event in ((1.1, 11), (1.4, 7), (3.0, 2**53 - 1)):
        cycle = Fraction(event) // Fraction(period)
        position = float(Fraction(event) - cycle * Fraction(period))
        expected = (1 + math.cos(math.pi * position / period)) / 2
        assert Restarts(1.0, 0.0, period)(event) == pytest.approx(expected, abs=1e-12)


def test_restarts_are_at_whole_boundaries():
    assert Restarts(1.0, 0.0, periods=5, period_mult=1.2)(11) == 1.0
    assert Restarts(1.0, 0.0, periods=13, period_mult=1.2)(13) == 1.0
    assert Restarts(1.0, 0.0, periods=1000, period_mult=1.1)(3310) == 1.0


@given(values, values, values, st.integers(0, 6), st.integers(0, 6), st.integers(0, 9), indices)
def test_warmup_stable_decay_equals_its_formula(start, peak, end, warm, stable, decay, events):
    def formula(event):
        if event < warm:
            return start + (peak - start) * (1 - (1 - event / warm))
        if event < warm + stable or (event == warm + stable and decay):
            return peak
        return (
            end if event >= warm + stable + decay else peak + (end - peak) * math.sqrt((event - warm - stable) / decay)
        )

    agree(WarmupStableDecay(peak, warm, stable, decay, start, end), formula, events)


@given(st.integers(0, 20), st.integers(1, 30), st.integers(1, 5), values, indices)
def test_windows(begin, length, interval, before, events):
    line = Anneal(0.0, 1.0, 50)

    def formula(event):
        k = min(event, begin + length - 1) - begin
        return before if event < begin else min((k - k % interval) / 50, 1)

    agree(Window(line, begin, begin + length, interval, before), formula, events)
    agree(Stretch(line, interval), lambda event: min(event // interval / 50, 1), events)
    agree(Cooldown(line, begin, length, before), lambda event: _cooled(event, begin, length, before), events)
    agree(Bounded(line, 0.2, 0.7), lambda event: min(max(min(event / 50, 1), 0.2), 0.7), events)


def _cooled(event, begin, length, end):
    value = min(event / 50, 1)
    return value + (end - value) * min(max(event - begin, 0) / length, 1)


def test_values_for_each_group_in_wrappers():
    two = Anneal([1.0, 2.0], 0.0, 4)
    assert Window(two, begin=1, before=8.0)([0, 1, 2]).tolist() == [[8.0, 8.0], [1.0, 2.0], [0.75, 1.5]]
    assert Window(Anneal(1.0, 0.0, 4), begin=1, before=[8.0, 9.0])([0, 1]).tolist() == [[8.0, 9.0], [1.0, 1.0]]
    assert Cooldown(Constant(1.0), 0, 2, [0.0, 1.0])([0, 1, 2]).tolist() == [[1.0, 1.0], [0.5, 1.0], [0.0, 1.0]]
    live = FunctionSchedule(lambda event_index: [float(event_index), 1.0])
    assert Window(live, begin=1, before=[8.0, 9.0]).value_from_parts(0, None) == [8.0, 9.0]
    assert Bounded(live, 0.5).value_from_parts(0, lambda part, index: part.checked(index)) == [0.5, 1.0]
    assert Cooldown(live, 0, 2, 3.0).value_from_parts(1, lambda part, index: part.checked(index)) == [2.0, 2.0]
    assert Noise(live, begin=9).value_from_parts(3, lambda part, index: part.checked(index)) == [3.0, 1.0]


@given(st.integers(0, 2**31), st.floats(0.1, 2), st.floats(0.1, 1), st.sampled_from(["normal", "uniform"]), indices)
def test_noise_equals_torchs_random_numbers(seed, std, limit, distribution, events):
    def formula(event):
        generator = torch.Generator()
        generator.manual_seed(seed + event)
        if distribution == "uniform":
            return 1 + 2 * (torch.rand(1, generator=generator).item() - 0.5) * limit
        while True:
            noise = torch.randn(1, generator=generator).item() * std
            if abs(noise) < limit:
                return 1 + noise

    noise = Noise(Constant(1.0), seed, std, limit, distribution)
    assert [noise(event) for event in events] == [formula(event) for event in events] == noise(events).tolist()


@for_each("warmup", [0, 70])
@for_each(
    ("size", "mult", "index"),
    [(10, 1.1, 10**6), (10**4, 1.0001, 10**9), (2, 3.0, 2**53), (10**7 + 1, 1 + 1e-7, 10**12), (2, 1e300, 2**53)],
)
def test_growing_cycles_begin_at_the_events_of_a_plain_loop(size, mult, warmup, index):
    cycles, start, cycle = CosineAnnealing(1.0, 0.5, size, mult, 0.9, warmup_duration=warmup), 0, 0
    lengths = size, warmup
    while start + sum(lengths) <= index:
        start, cycle = start + sum(lengths), cycle + 1
        lengths = tuple(int(min(length * mult, 2**54)) for length in lengths)
    at = cycles.cycle_at(start)
    assert (at.cycle, at.position, at.cycle_size, at.warmup_duration) == (cycle, 0, *lengths)
    before = cycles.cycle_at(start - 1)
    assert (before.cycle, before.position) == (cycle - 1, before.total_cycle_size - 1)


def test_growing_cycles_are_found_in_one_loop_of_numpy(monkeypatch):
    loops = []
    searched = np.searchsorted
    monkeypatch.setattr(np, "searchsorted", lambda *args: loops.append(args) or searched(*args))
    assert growing._growing(10, 2.0, 10_000, 20).tolist() == [10.0 * 2**at for at in range(11)]
    assert len(loops) == 1
    table = growing._growing_cycles((10, 5), 2.0, 10_000)
    assert table[:, -1].tolist() == [15.0 * (2**9 - 1), 10.0 * 2**9, 5.0 * 2**9]  # the last one before the horizon


@pytest.mark.parametrize("seed", [0, 42, 2**32 - 3, 2**40 + 1])
def test_words_of_many_seeds_equal_numpys(seed):
    """This number of words needs several states, each of which is computed from the state before."""
    seeds = (np.arange(seed, seed + 5, dtype=np.uint64) % 2**32).astype(np.uint32)
    words = first_words(seeds, 1500)
    for column, one in zip(words.T, seeds, strict=True):
        assert column.tobytes() == np.random.RandomState(one).bytes(4 * 1500)


def test_noise_that_is_drawn_again_hundreds_of_times():
    rare, events = Noise(Constant(1.0), 3, std=1.0, limit=0.01), range(40)
    generator, draws = torch.Generator(), []
    for event in events:
        generator.manual_seed(3 + event)
        numbers = iter(lambda: torch.randn(1, generator=generator).item(), None)
        draws.append(next((at, number) for at, number in enumerate(numbers) if abs(number) < 0.01))
    assert max(at for at, _ in draws) > 400
    assert rare(events).tolist() == [1 + number for _, number in draws]


def test_single_events_and_blocks_have_the_same_noise():
    noise = Noise(Constant(1.0), begin=5, end=5000)
    events = [*range(10), 2047, 2048, 4096, 4999, 5000, 9000]
    assert [noise(event) for event in events] == noise(np.arange(9001))[events].tolist()


def test_going_back_in_a_product_takes_few_calls():
    calls = []

    def factor(event):
        calls.append(event)
        return 1 + (event % 7 - 3) / 1000

    product, again = CumulativeProduct(factor), CumulativeProduct(factor)
    product(5000)
    for event in (4999, 4000, 2500, 17, 0):
        calls.clear()
        assert product(event) == CumulativeProduct(lambda at: 1 + (at % 7 - 3) / 1000)(event)
        assert len(calls) < 16  # 5,000 events have up to 512 products
    again.load_state_dict({"event_index": 5000, "product": 2.0})
    assert again(5001) == 2.0 * factor(5001)
    assert again(4999) == product(4999)  # as if no state had been loaded


RULES = {
    "scaling": Scaling(Anneal(0.2, 1.0, 7)),
    "approach": Approach(Anneal(1.0, 0.0, 9, Cosine(), "mirror"), 0.1, 0.7),
    "addition": Addition(Anneal(0.1, 1.0, 8)),
    "assignment": Assignment(Anneal(1.0, 0.5, 5), first_factor=0.5),
    "decay": Scaling(ExponentialDecay(1.0, 0.999)),
    "long": Approach(Anneal(1.0, 0.0, 2500, Cosine()), 0.0, 1.0),
}


@given(st.data(), st.integers(1, 3), st.integers(0, 5))
def test_a_recursion_equals_a_plain_loop(data, groups, start):
    turns = [
        Turn(RULES[kind], begin, begin + length, every)
        for kind, begin, length, every in data.draw(
            st.lists(
                st.tuples(st.sampled_from(sorted(RULES)), st.integers(0, 9), st.integers(1, 9), st.integers(1, 3)),
                min_size=1,
                max_size=4,
            )
        )
    ]
    initial = [1.0, 0.5, 0.25][:groups]
    recursion = Recursion(initial if groups > 1 else initial[0], turns, start)
    expected, held = [], list(initial)
    for event in range(start, start + 60):
        for turn in turns:
            number = event // turn.every
            if (event % turn.every == 0 or event == start) and turn.begin <= number < turn.end:
                a, c = turn.rule.coefficients(np.array([float(number - turn.begin)]))
                held = [value * float(a[0]) + float(c[0]) for value in held]
        expected.append(list(held))
    values = recursion(np.arange(60)).reshape(60, -1)
    np.testing.assert_allclose(values, expected, rtol=1e-13)
    assert Recursion(recursion.initial_value, turns, start)(59) == pytest.approx(recursion(59))


@given(st.data(), st.integers(0, 5))
@settings(max_examples=30)
def test_a_recursion_has_the_bits_of_a_loop_over_all_events(data, start):
    """The loop asks each rule for all events at once, and has neither windows nor chunks."""
    window = st.tuples(st.integers(0, 2000), st.integers(1, 4000), st.sampled_from([1, 1, 3, 50]))
    windows = data.draw(st.lists(st.tuples(st.sampled_from(sorted(RULES)), window), min_size=1, max_size=3))
    turns = [Turn(RULES[kind], begin, begin + length, every) for kind, (begin, length, every) in windows]
    events, columns = np.arange(start, start + 4096), []
    for turn in turns:
        numbers = events // turn.every
        inside = ((events % turn.every == 0) | (events == start)) & (turn.begin <= numbers) & (numbers < turn.end)
        a, c = turn.rule.coefficients(np.where(inside, numbers - turn.begin, 0).astype(np.float64))
        columns.append((np.where(inside, a, 1.0).tolist(), np.where(inside, c, 0.0).tolist()))
    value, expected = 0.1, []
    for at in range(len(events)):
        for a, c in columns:
            value = value * a[at] + c[at]
        expected.append(value)
    assert Recursion(0.1, turns, start)(np.arange(4096)).tobytes() == np.array(expected).tobytes()


@dataclass(frozen=True)
class Counted(Schedule):
    """A schedule of factors near 1, which counts the events for which it is read."""

    asked: list[int]

    def values(self, indices):
        self.asked.append(len(indices))
        return 1 - 1e-6 * (indices % 7)


@for_each("make", [
    Scaling, Addition, lambda inner: Approach(inner, end_value=0.1, base_value=1.0), Assignment,
], one_in=2)  # fmt: skip
def test_a_recursion_in_a_recursion_does_not_double_the_work(make):
    work = {}
    for levels in (1, 8):
        counted = schedule = Counted([])
        for _ in range(levels):
            schedule = Recursion(1.0, [Turn(make(schedule)), Turn(Scaling(Constant(1.0)), end=9)])
        counted.asked.clear()
        for indices in (np.arange(10), [20_000, 20_001], [20_001], [5_000, 19_999], np.arange(0, 40_000, 500)):
            schedule(indices)
        work[levels] = sum(counted.asked)
        fresh = Recursion(schedule.initial_value, schedule.turns)
        assert schedule(np.arange(19_000, 21_000)).tolist() == fresh(np.arange(21_000))[19_000:].tolist()
    assert work[8] < 5 * work[1]  # doubling would make it 128


def test_a_cumulative_product_goes_back_to_stored_products():
    asked = []
    product = CumulativeProduct(lambda index: asked.append(index) or 1 + index)
    assert [product.value(index) for index in (0, 3, 4, 2)] == [1.0, 24.0, 120.0, 6.0]
    assert asked == [1, 2, 3, 4]
    resumed = CumulativeProduct(lambda index: 10.0)
    resumed.load_state_dict(product.state_dict())
    assert resumed.value(3) == 60.0
    huge = CumulativeProduct(lambda index: 1e200)
    with pytest.raises(ValueError, match="the product at event 2 must be finite, given inf"):
        huge.value(2)
    assert huge.value(1) == 1e200
    for state in (3, {}, {"event_index": -1, "product": 1.0}, {"event_index": 1, "product": math.nan}):
        with pytest.raises((TypeError, ValueError)):
            product.load_state_dict(state)


def test_a_reduced_schedule_never_falls_below_min_value():
    reduced = Reduced(Anneal(1.0, [1.0, 2.0], 10), Plateau(factor=0.1, patience=0, min_value=[0.5, 0.05]))
    reduced.value(0)
    for loss in (1.0, 2.0):
        reduced.observe(loss)
    assert reduced.value(0) == pytest.approx([0.5, 0.1])
    state = reduced.state_dict()
    again = Reduced(reduced.schedule, Plateau(factor=0.1, patience=0, min_value=[0.5, 0.05]))
    again.load_state_dict(state)
    again.observe(3.0)
    reduced.observe(3.0)
    assert again.value(1) == reduced.value(1)
    for bad in (3, {}, {**state, "ratios": [1.0]}, {**state, "event_index": -2}, {**state, "plateau": {}}):
        with pytest.raises((TypeError, ValueError)):
            again.load_state_dict(bad)
    with pytest.raises(ValueError, match="schedule must be a pure schedule"):
        Reduced(FunctionSchedule(math.cos), Plateau())


def test_a_greedy_schedule_starts_again_after_enough_falls_at_min_value():
    greedy = Greedy(0.5, factor=0.5, patience=0, min_value=0.2, reset_start=2)
    seen = []
    for loss in (1.0, 2.0, 2.0, 2.0, 2.0):
        greedy.observe(loss)
        seen.append(greedy.value(0))
    assert seen == [1.0, 0.5, 0.25, 0.2, 0.5]
    state = greedy.state_dict()
    for bad in (3, {}, {**state, "values": [1.0, 2.0]}, {**state, "best": "1"}, {**state, "num_bad_epochs": -1}):
        with pytest.raises((TypeError, ValueError)):
            greedy.load_state_dict(bad)
    assert greedy.state_dict() == state


@for_each(
    "make",
    [
        lambda: Window(5),
        lambda: Stretch(5, 2),
        lambda: Cooldown(None, 1, 1),
        lambda: Bounded(5),
        lambda: Noise("x"),
        lambda: Product([5]),
        lambda: Product(5),
        lambda: Scaling(5),
        lambda: Assignment(5),
        lambda: Addition(5),
        lambda: Turn(5),
        lambda: Turn(Scaling(Constant(1.0)), begin="x"),
        lambda: Recursion(1.0, [5]),
        lambda: Anneal(1.0, 0.0, 5, curve="cosine"),
        lambda: Approach(5, 0.0, 1.0),
    ],
)
def test_arguments_of_composed_schedules_are_checked(make):
    with pytest.raises(TypeError, match="must be .*given"):
        make()


@for_each(
    ("window", "length"),
    [
        (Window(Anneal(1.0, 0.0, 4), begin=2), 6.0),
        (Window(Anneal(1.0, 0.0, 4), begin=2, end=5), 5.0),
        (Window(Anneal(1.0, 0.0, 4), interval=3, end=9), 6.0),
        (Window(Constant(1.0), end=7), 7.0),
        (Window(Constant(1.0)), None),
    ],
)
def test_a_window_ends_with_its_schedule_or_before(window, length):
    assert window.length == length


@for_each(
    ("make", "message"),
    [
        (
            lambda: Restarts(1.0, 0.0, 5, restart_weights=[1.0, 0.5]),
            "restart_weights must be a number if periods is a number",
        ),
        (
            lambda: Restarts(1.0, 0.0, [5, 6], restart_weights=[1.0]),
            "restart_weights must have 2 items, one for each of the periods",
        ),
        (lambda: Restarts(1.0, 0.0, [5, 6], period_mult=2.0), "period_mult must be"),
        (lambda: Restarts(1.0, 0.0, [5, 6], num_cycles=2), "num_cycles must be"),
        (lambda: Bounded(Constant(1.0), at_least=2.0, at_most=1.0), "at_most must be at least at_least=2.0, given 1.0"),
    ],
)
def test_arguments_that_contradict_one_another_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_rules_must_contain_only_pure_schedules():
    with pytest.raises(ValueError, match="rule must contain only pure schedules"):
        Turn(Scaling(FunctionSchedule(math.cos)))
    with pytest.raises(ValueError, match="initial_value and turns must have the same number of values"):
        Recursion([1.0, 2.0], [Turn(Scaling(Constant([1.0, 1.0, 1.0])))])
    with pytest.raises(ValueError, match="the same number of values"):
        Cooldown(Constant([1.0, 2.0]), 2, 2, [0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        (ExponentialDecay(1.0, 0.0), [1, 0, 0, 0, 0, 0]),
        (StepDecay(1.0, 0.0, 2), [1, 1, 0, 1, 0, 1]),
        (MultiStepDecay(1.0, 0.0, [1, 4]), [1, 0, 1, 1, 0, 1]),
        (Anneal(1.0, 0.0, 2), [1, 0.5, 0, 1, 1, 1]),
    ],
)
def test_after_a_factor_of_zero_only_a_gamma_decay_scales_the_value(factors, expected):
    assert Scaling(factors).coefficients(np.arange(6.0))[0].tolist() == expected
    far = np.arange(2000.0, 2003.0)  # 0.1 ** 2000 is 0 in float64
    assert Scaling(ExponentialDecay([1.0, 2.0], 0.1)).coefficients(far)[0].tolist() == [[0.1, 0.1]] * 3


def test_a_plateau_compares_a_reduction_with_the_eps_of_the_group():
    plateau = Plateau(factor=0.5, patience=0, initial_value=1.0, eps=[0.3, 0.1])
    values = []
    for _ in range(4):
        plateau.observe(1.0)
        values.append(plateau.value(0))
    assert values == [[1.0, 1.0], [0.5, 0.5], [0.5, 0.25], [0.5, 0.125]]
    plateau.load_state_dict({**plateau.state_dict(), "values": [0.5]})  # as saved with one eps for all groups
    assert plateau.value(0) == [0.5, 0.5]
    with pytest.raises(ValueError, match="eps must be at least 0"):
        Plateau(eps=[0.1, -0.1])
    with pytest.raises(ValueError, match="must have the same number of values"):
        Plateau(eps=[0.1, 0.1], min_value=[0.0, 0.0, 0.0])


def test_a_reduced_schedule_can_compare_the_values_of_another_schedule():
    later = Shift(StepDecay(1.0, 0.5, 2), by=-1)
    reduced = Reduced(StepDecay(1.0, 0.5, 2), Plateau(factor=0.5, patience=0, min_value=0.8), compared=later)
    values = []
    for event in range(4):
        values.append(reduced.value(event))
        reduced.observe(1.0)
    assert values == [1.0, 1.0, 0.4, 0.4]  # at event 2 the 1.0 before the step falls to the bound 0.8, which is halved
    with pytest.raises(ValueError, match="compared must be a pure schedule"):
        Reduced(Constant(1.0), Plateau(), compared=Plateau())
