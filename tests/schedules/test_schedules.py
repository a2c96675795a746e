"""Tests of schedules: tables of their values, and properties that hold for all schedules."""

import dataclasses
from functools import partial

import numpy as np
import pytest
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st
from strategies import cyclic, cyclical, one_cycle, piecewise, values

from lehr.handlers.core.schedule_reading import read_block
from lehr.handlers.schedules import (
    Concatenation,
    Constant,
    CosineAnnealing,
    Cyclic,
    ExponentialDecay,
    FunctionSchedule,
    Handover,
    InverseTimeDecay,
    Linear,
    LinearCyclical,
    LinearInterpolation,
    MultiStepDecay,
    OneCycle,
    PiecewiseConstant,
    Plateau,
    PowerDecay,
    Product,
    Recursion,
    Restarts,
    Scaling,
    Schedule,
    Shift,
    SideBySide,
    StepDecay,
    Turn,
    WarmupStableDecay,
)
from lehr.handlers.schedules.curves import blend
from lehr.handlers.schedules.description_as_data import description_of, text_of

# Each row has a schedule and its values from event 0 on, which were computed by hand.
TABLE = [
    (LinearCyclical(0, 1, 4), [0, 0.5, 1, 0.5, 0, 0.5, 1]),
    (LinearCyclical(1, 0, 5), [1, 0.6, 0.2, 0.2, 0.6, 1, 0.6]),
    (LinearCyclical(0, 1, 2), [0, 1, 0, 1, 0]),
    (LinearCyclical(0, 1, 4, monotonic=True), [0, 0.25, 0.5, 0.75, 0, 0.25]),
    (LinearCyclical(0, 1, 2, cycle_mult=2), [0, 1, 0, 0.5, 1, 0.5, 0, 0.25, 0.5, 0.75, 1]),
    (LinearCyclical(0, 1, 2, cycle_mult=1.5), [0, 1, 0, 2 / 3, 2 / 3, 0, 0.5, 1, 0.5, 0]),
    (LinearCyclical(0, 1, 2, cycle_mult=1.4), [0, 1, 0, 1, 0, 1, 0]),  # int(2 * 1.4) is 2 for ever
    (LinearCyclical(1, 8, 2, start_value_mult=2), [1, 8, 2, 8, 4, 8]),
    (LinearCyclical(1, 8, 2, end_value_mult=0.5), [1, 8, 1, 4, 1, 2]),
    (LinearCyclical(1, 0, 2, warmup_duration=2, monotonic=True), [1, 0.5, 0, 0.5, 1, 0.5, 0]),
    (LinearCyclical(4, 0, 2, 1, 0.5, 1, 2, monotonic=True), [4, 2, 0, 1, 2, 1, 0, 0.5, 1]),
    (CosineAnnealing(1, 0, 3), [1, 0.75, 0.25, 1, 0.75]),
    (CosineAnnealing(1, 0, 2, warmup_duration=4), [1, 0.5, 0, 0.25, 0.5, 0.75, 1, 0.5]),
    (CosineAnnealing(1, 0, 2, cycle_mult=2, warmup_duration=1), [1, 0.5, 0, 1, 0.8535534, 0.5, 0.1464466, 0, 0.5, 1]),
    (
        OneCycle(1, 8, 0.5, div_factor=4, final_div_factor=5),
        [0.25, 0.4375, 0.8125, 1, 0.8608757, 0.525, 0.1891243, 0.05, 0.05],
    ),
    (OneCycle(1, 6, 0.5, "linear", 5, 2), [0.2, 0.6, 1, 0.7, 0.4, 0.1, 0.1]),
    (
        OneCycle(1, 9, 1 / 3, "linear", 4, 10, three_phase=True),
        [0.25, 0.625, 1, 0.625, 0.25, 0.19375, 0.1375, 0.08125, 0.025],
    ),
    (OneCycle(0.9, 5, 0.4, "linear", base_value=0.5, inverse=True), [0.9, 0.5, 0.633333, 0.766667, 0.9, 0.9]),
    (OneCycle(1, 4, 0.25, "linear", final_div_factor=4), [1, 0.67, 0.34, 0.01]),
    (OneCycle(1, 1), [1 / 25 / 1e4] * 3),
    (OneCycle(1, 3, 1.0, "linear", div_factor=2), [0.5, 0.75, 1, 1, 1]),
    (Cyclic(0, 1, 2), [0, 0.5, 1, 0.5, 0]),
    (ExponentialDecay(8, 0.5), [8, 4, 2, 1]),
    (ExponentialDecay(1, -2), [1, -2, 4, -8]),
    (ExponentialDecay(3, 0), [3, 0, 0]),
    (StepDecay(8, 0.5, 3), [8, 8, 8, 4, 4, 4, 2]),
    (StepDecay(8, 0.5, 1), [8, 4, 2]),
    (MultiStepDecay(8, 0.5, []), [8, 8, 8]),
    (MultiStepDecay(8, 0.5, [0, 2, 2, 4]), [4, 4, 1, 1, 0.5, 0.5]),
    (Product([ExponentialDecay(8, 0.5), LinearCyclical(0, 1, 4)]), [0, 2, 2, 0.5, 0]),
    (Product([ExponentialDecay(8, 0.5)]), [8, 4, 2]),
    (Shift(ExponentialDecay(8, 0.5), 2), [2, 1, 0.5]),
    (Shift(ExponentialDecay(8, 0.5), -2), [8, 8, 8, 4, 2]),
    (Plateau(), [1, 1, 1]),
    (Plateau(initial_value=0.5), [0.5, 0.5]),
    (Cyclic(0, 1, 1, 3), [0, 1, 2 / 3, 1 / 3, 0, 1]),
    (Cyclic(0, 1, 1.5), [0, 2 / 3, 2 / 3, 0]),
    (Cyclic(1, 2, 1, mode="triangular2"), [1, 2, 1, 1.5, 1, 1.25]),
    (Cyclic(0, 1, 1, mode="exp_range", gamma=0.5), [0, 0.5, 0, 0.125]),
    (Cyclic(0, 1, 1, scale_fn=lambda cycle: 3 * cycle), [0, 3, 0, 6, 0, 9]),
    (Cyclic(0, 1, 1, scale_fn=lambda event: event, scale_mode="iterations"), [0, 1, 0, 3, 0, 5]),
    (Cyclic(1, 3, 2, inverse=True), [3, 2, 1, 2, 3]),
    (LinearInterpolation([(2, 5)]), [5, 5, 5, 5]),
    (LinearInterpolation([(0, 0), (2, 1), (3, 5)]), [0, 0.5, 1, 5, 5]),
    (Concatenation([LinearInterpolation([(0, 7)]), LinearCyclical(0, 1, 4)], [2]), [7, 7, 0, 0.5, 1]),
    (
        Concatenation([LinearCyclical(0, 1, 4), LinearInterpolation([(0, 7)]), LinearCyclical(0, 1, 2)], [1, 0]),
        [0, 0, 1],
    ),
    (FunctionSchedule(lambda event: event**2), [0, 1, 4, 9]),
    (InverseTimeDecay(6, 1, 2), [6, 4, 3, 2.4, 2]),
    (InverseTimeDecay(6, 1, 2, staircase=True), [6, 6, 3, 3, 2]),
    (InverseTimeDecay(6, 1, 1, exponent=2), [6, 3, 1.2]),
    (PowerDecay(8, 1, 1), [8, 4, 8 / 3, 2]),
    (PowerDecay(1, 0.5), [1, 3**-0.5, 5**-0.5]),
    (PiecewiseConstant([3, 1, 2], [2, 3]), [3, 3, 1, 2, 2]),
    (
        WarmupStableDecay(1, 4, 1, 2, warmup_type="quadratic", decay_type="quadratic"),
        [0, 1 / 16, 1 / 4, 9 / 16, 1, 1, 1 / 4, 0],
    ),
    (WarmupStableDecay(1, 3, 0, 0, end_value=1, warmup_type="log"), [0, 0.5, np.log(3) / np.log(4), 1, 1]),
    (WarmupStableDecay(1, 0, 0, 3, decay_type="log"), [1, np.log(3) / np.log(4), 0.5, 0, 0]),
    (Recursion(0.5, ()), [0.5, 0.5, 0.5]),
    (Recursion(1, [Turn(Scaling(LinearInterpolation([(0, 0.5), (2, 1)])), 1, 3)]), [1, 0.5, 0.75, 0.75]),
    (Handover(Constant(1), 2, 4, 0), [1, 1, 0, 0.25, 0.5, 0.75, 1, 1]),
    (Restarts(1, 0, 3, curve=Linear()), [1, 2 / 3, 1 / 3, 1, 2 / 3, 1 / 3, 1]),
    (Restarts(1, 0, [2, 4], restart_weights=[1, 0.5], curve=Linear()), [1, 0.5, 0.5, 0.375, 0.25, 0.125, 0, 0]),
    (Recursion([0.5, 0.25], ()), [[0.5, 0.25], [0.5, 0.25]]),
]


@for_each(("schedule", "expected"), TABLE, ids=[str(schedule) for schedule, _ in TABLE])
def test_values_equal_the_table(schedule, expected):
    np.testing.assert_allclose(schedule(np.arange(len(expected))), expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose([schedule(event) for event in range(len(expected))], expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (OneCycle([1, 2], 3, 2 / 3, "linear", 2, 1), [[0.5, 1], [1, 2], [0.5, 1], [0.5, 1]]),
        (OneCycle(4, 3, 2 / 3, "linear", base_value=[1, 2], inverse=True), [[4, 4], [1, 2], [4, 4]]),
        (Cyclic(0, [1, 10], 2), [[0, 0], [0.5, 5], [1, 10], [0.5, 5]]),
        (Cyclic([1, 2], 3, 1, inverse=True), [[3, 3], [1, 2], [3, 3]]),
        (Concatenation([LinearCyclical(0, 1, 2), Cyclic(0, [1, 10], 1)], [2]), [[0, 0], [1, 1], [0, 0], [1, 10]]),
    ],
    ids=str,
)
def test_values_of_each_group_equal_the_table(schedule, expected):
    assert schedule.groups == 2
    assert schedule(np.arange(len(expected))).tolist() == expected
    assert [schedule(event).tolist() for event in range(len(expected))] == expected
    assert schedule(np.arange(1)).shape == (1, 2)


schedules = (
    cyclical().map(lambda kwargs: CosineAnnealing(**kwargs))
    | cyclical().map(lambda kwargs: LinearCyclical(**kwargs, monotonic=True))
    | cyclical(warmup=False).map(lambda kwargs: LinearCyclical(**kwargs))
    | st.tuples(values, one_cycle()).map(
        lambda drawn: OneCycle(
            drawn[0],
            drawn[1].pop("total_steps", None) or drawn[1].pop("epochs") * drawn[1].pop("steps_per_epoch"),
            **drawn[1],
        )
    )
    | st.tuples(values, values, cyclic()).map(lambda drawn: Cyclic(drawn[0], drawn[1], **drawn[2]))
    | piecewise().map(LinearInterpolation)
)
schedules |= st.tuples(st.lists(schedules, min_size=2, max_size=4), st.lists(st.integers(0, 30), min_size=3)).map(
    lambda drawn: Concatenation(drawn[0], drawn[1][: len(drawn[0]) - 1])
)


@given(schedule=schedules, events=st.lists(st.integers(0, 1000), min_size=1, max_size=20))
def test_any_index_in_any_order_gives_the_same_bits(schedule, events):
    together = schedule(events)
    assert (together.dtype, together.shape) == (np.float64, (len(events),))
    assert together.tolist() == [schedule(event) for event in events]
    assert together[::-1].tolist() == schedule(events[::-1]).tolist()


@given(schedule=schedules)
def test_schedules_compare_and_hash_by_value(schedule):
    fields = {field.name: getattr(schedule, field.name) for field in dataclasses.fields(schedule) if field.init}
    assert type(schedule)(**fields) == schedule == dataclasses.replace(schedule)
    assert all(f"{name}=" in repr(schedule) for name in fields)
    if schedule.is_pure:
        namespace = {name: getattr(__import__("lehr.handlers.schedules", fromlist=["x"]), name) for name in NAMES}
        assert eval(repr(schedule), namespace) == schedule  # repr reads as the constructor call
        assert hash(schedule) == hash(dataclasses.replace(schedule))


NAMES = ["Concatenation", "CosineAnnealing", "Cyclic", "LinearCyclical", "LinearInterpolation", "OneCycle"]


def test_shifts_and_concatenations_have_the_groups_of_their_parts():
    two, three = Cyclic(0, [1, 10], 2), Cyclic(0, [1, 10, 100], 2)
    assert Shift(two, 1).groups == Concatenation([LinearCyclical(0, 1, 2), two], [1]).groups == 2
    assert Shift(two, 1)([0, 1]).tolist() == [[0.5, 5.0], [1.0, 10.0]]
    with pytest.raises(ValueError, match=r"the same number of groups, given \[2, 3\]"):
        Concatenation([two, three], [1])
    assert not Shift(FunctionSchedule(abs), 1).is_pure
    assert not Concatenation([two, FunctionSchedule(abs)], [1]).is_pure


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float32, np.float64])
def test_indices_and_values_may_have_any_real_type(dtype):
    @dataclasses.dataclass(frozen=True)
    class Typed(Schedule):
        def values(self, indices):
            return indices.astype(dtype)

    assert CosineAnnealing(1.0, 0.0, 4)(np.array([0, 2], dtype=dtype)).tolist() == [1.0, 0.5]
    assert Typed()([1, 2]).dtype == np.float64
    start, block = read_block(Typed(), 7)
    assert (start, block.dtype, block[7]) == (0, np.float64, 7.0)


@given(kwargs=cyclical())
def test_a_cycle_starts_and_ends_its_warm_up_exactly(kwargs):
    kwargs["cycle_mult"] = 1.0
    schedule = CosineAnnealing(**kwargs)
    size, warmup = kwargs["cycle_size"], kwargs["warmup_duration"]
    assert schedule(0) == kwargs["start_value"]
    assert schedule(size + warmup) == kwargs["start_value"] * kwargs["start_value_mult"]
    if warmup:
        assert schedule(size) == kwargs["end_value"]


@given(max_value=values, kwargs=one_cycle())
def test_one_cycle_ends_exactly_and_stays_between_its_bounds(max_value, kwargs):
    steps = kwargs.pop("total_steps", None) or kwargs.pop("epochs") * kwargs.pop("steps_per_epoch")
    schedule = OneCycle(max_value, steps, **kwargs)
    run = schedule(np.arange(steps + 10))
    assert (run >= max_value / 25 / 1e4).all()
    assert (run <= max_value).all()
    assert (run[steps - 1 :] == run[steps - 1]).all()
    if kwargs["pct_start"] < (0.5 if kwargs["three_phase"] else 1.0):
        assert run[-1] == max_value / 25 / 1e4


@given(start=values, end=values, fraction=st.floats(0, 1))
def test_blend_is_exact_at_its_ends_and_stays_between_them(start, end, fraction):
    assert blend(start, end, np.array([0.0, 1.0])).tolist() == [start, end]
    assert min(start, end) <= blend(start, end, np.array([fraction]))[0] <= max(start, end)
    assert blend(start, start, np.array([fraction]))[0] == start


@given(start=st.floats(-1, 1), end=st.floats(-1, 1), fraction=st.lists(st.floats(0, 1), min_size=1))
def test_two_floats_blend_into_the_bits_of_two_arrays(start, end, fraction):
    fractions = np.array([0.0, *fraction, 1.0])
    of_arrays = blend(np.asarray(start), np.asarray(end), fractions)
    assert blend(start, end, fractions).tobytes() == of_arrays.tobytes()


@given(warmup=st.integers(1, 30), events=st.integers(1, 100))
def test_a_concatenation_equals_its_parts(warmup, events):
    first, second = LinearCyclical(0, 1, 60), CosineAnnealing(1, 0, 20)
    joined = Concatenation([first, second], [warmup])(np.arange(warmup + events))
    assert joined.tolist() == [*first(np.arange(warmup)), *second(np.arange(events))]


def test_slowly_growing_cycles_can_be_read_at_late_events():
    schedule = LinearCyclical(0, 1, 1000, cycle_mult=1.001)
    size, start = 1000, 0
    while start + size <= 10**7:
        start, size = start + size, int(size * 1.001)
    assert schedule(start) == 0
    assert schedule(start + size // 2) == pytest.approx(1, abs=2 / size)
    assert schedule(start - 1) > 0


def test_a_users_schedule_needs_only_fields_and_a_formula():
    @dataclasses.dataclass(frozen=True)
    class Decay(Schedule):
        start_value: float

        def values(self, indices):
            return self.start_value / (1 + indices)

    assert repr(Decay(1.0)).endswith("Decay(start_value=1.0)")
    assert Decay(1.0)(1) == 0.5
    assert type(Decay(1.0)(1)) is float
    assert Decay(1.0) == Decay(1.0) != Decay(2.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Decay(1.0).start_value = 2.0

    class Without(Schedule):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Without()


def test_functions_are_described_by_names_that_do_not_depend_on_the_process():
    class Callable:
        def __call__(self, event_index):
            return 0.1

    class Named(Callable):
        def __repr__(self):
            return "Named()"

    def described(value):
        return text_of(description_of(value))

    assert (
        described(Callable())
        == "test_functions_are_described_by_names_that_do_not_depend_on_the_process.<locals>.Callable()"
    )
    assert described(Named()) == "Named()"
    assert described([0.1].__getitem__) == "list.__getitem__"
    assert described(iter([0.1]).__next__) == "list_iterator.__next__"
    assert described(partial(max, key=abs)) == "partial(max, key=abs)"
    assert repr(FunctionSchedule(max)) == "FunctionSchedule(function=max)"
    assert "scale_fn=abs" in repr(Cyclic(0, 1, 2, scale_fn=abs))


def test_a_users_schedule_with_a_function_is_described_by_its_name():
    @dataclasses.dataclass(frozen=True)
    class Scaled(Schedule):
        function: object

        def values(self, indices):
            return self.function(indices)

    described = text_of(description_of(Concatenation([Scaled(abs), Scaled(np.sqrt)], [3])))
    assert "0x" not in described
    assert "Scaled(function=abs)" in described


def test_cycles_of_fractional_sizes_stay_within_their_bounds():
    values = Cyclic(0.0, 1.0, 2.2)(np.arange(300_000))
    assert (values >= 0).all()
    assert (values <= 1).all()


def test_values_that_overflow_are_inf_without_a_warning():
    assert CosineAnnealing(1.0, 0.5, 10, start_value_mult=2.0)(10**6 + 1) == np.inf
    with pytest.raises(ValueError, match="max_value / div_factor / final_div_factor must be finite, given OneCycle"):
        OneCycle(1e308, 10, div_factor=1e-5)


@pytest.mark.parametrize("index", ["3", None, 1j, [True], ...], ids=repr)
def test_an_event_index_is_a_number(index):
    with pytest.raises(TypeError, match="event_index must be an int or an array of ints"):
        CosineAnnealing(1.0, 0.5, 10)(index)


@given(schedule=schedules, by=st.integers(0, 100))
def test_a_negative_shift_begins_later(schedule, by):
    assert Shift(schedule, by)(np.arange(20)).tolist() == schedule(np.arange(by, by + 20)).tolist()
    assert (Shift(schedule, by).groups, Shift(schedule, by).is_pure) == (schedule.groups, schedule.is_pure)


def test_values_for_groups_may_be_an_array():
    assert OneCycle(np.array([0.1, 0.2]), 5) == OneCycle([0.1, 0.2], 5)
    assert Cyclic(np.float64(0.0), np.array([0.1, 0.2]), 5) == Cyclic(0.0, (0.1, 0.2), 5)


# Compositions of groups.

PER_GROUP = LinearInterpolation([(0, [0.0, 1.0]), (2, [1.0, 3.0])])


def test_interpolation_may_have_a_value_for_each_group():
    assert PER_GROUP([0, 1, 2, 3]).tolist() == [[0.0, 1.0], [0.5, 2.0], [1.0, 3.0], [1.0, 3.0]]
    assert PER_GROUP.groups == 2
    assert LinearInterpolation([(0, 0.0), (2, [1.0, 3.0])])(1).tolist() == [0.5, 1.5]
    with pytest.raises(ValueError, match=r"must have the same number of values, given .*\[0\] with 2 and .* with 3"):
        LinearInterpolation([(0, [0.0, 1.0]), (2, [1.0, 2.0, 3.0])])


def test_a_product_may_have_a_value_for_each_group():
    product = Product([ExponentialDecay(8, 0.5), PER_GROUP, FunctionSchedule(lambda event: [1.0, 10.0])])
    assert product([0, 1, 2]).tolist() == [[0.0, 80.0], [2.0, 80.0], [2.0, 60.0]]
    assert (product.groups, product.is_pure) == (2, False)
    with pytest.raises(ValueError, match=r"the same number of groups, given \[2, 3\]"):
        Product([PER_GROUP, LinearInterpolation([(0, [1.0, 2.0, 3.0])])])
    with pytest.raises(ValueError, match="schedules must have 1 or more items"):
        Product([])


def test_each_schedule_side_by_side_has_its_columns():
    beside = SideBySide([PER_GROUP, ExponentialDecay(8, 0.5), PER_GROUP])
    assert beside([1, 2]).tolist() == [[0.5, 2.0, 4.0, 0.5, 2.0], [1.0, 3.0, 2.0, 1.0, 3.0]]
    assert (beside.groups, beside.is_pure) == (5, True)
    asked = SideBySide([PER_GROUP, FunctionSchedule(lambda event: [event, 1.0, 2.0])])
    assert asked(1).tolist() == [0.5, 2.0, 1.0, 1.0, 2.0]
    assert (asked.groups, asked.is_pure) == (None, False)
    with pytest.raises(ValueError, match="schedules must have 1 or more items"):
        SideBySide([])


def test_former_names_of_attributes_still_work_with_a_warning():
    with pytest.warns(DeprecationWarning, match=r"Live.ahead is now called is_pure: use the new name") as told:

        class Live(Schedule):
            ahead = False

            def values(self, indices):
                return indices

    assert told[0].filename == __file__
    assert not Live().is_pure
    with pytest.warns(DeprecationWarning, match="Constant.ahead is now called is_pure"):
        assert Constant(1.0).ahead

    class Mixin:
        ahead = False

    with pytest.warns(DeprecationWarning, match=r"Mixin.ahead is now called is_pure"):

        class Mixed(Mixin, Live):
            pass

    assert not Mixed().is_pure
