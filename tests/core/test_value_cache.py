"""Reading ahead: how far, how often, and what happens beyond the last value that there is."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from optimizers import make_optimizer, values_of
from registry import CASES

from lehr.handlers import CyclicScheduler, ParamScheduler, Schedule
from lehr.handlers.core.schedule_reading import BLOCK_SIZE, block_size, read_block
from lehr.handlers.schedules import Concatenation, Constant, CosineAnnealing, FunctionSchedule

EVALUATED: list[tuple[float, int]] = []


@dataclasses.dataclass(frozen=True)
class Watched(Schedule):
    """Notes what it is asked for."""

    def values(self, indices):
        EVALUATED.append((indices[0], len(indices)))
        return 1 / (1 + indices)


@dataclasses.dataclass(frozen=True)
class Table(Schedule):
    """Looks its values up, and raises beyond the last of them."""

    table: tuple[float, ...]

    def values(self, indices):
        return np.array(self.table)[indices.astype(int)]


@dataclasses.dataclass(frozen=True)
class Ending(Schedule):
    """Has no values after its end: sqrt of a negative number."""

    end: int

    def values(self, indices):
        return np.sqrt(1 - indices / self.end)


def test_a_schedule_is_evaluated_in_aligned_blocks():
    EVALUATED.clear()
    scheduler = ParamScheduler(make_optimizer(), "lr", schedule=Watched())
    for _ in range(BLOCK_SIZE + 1):
        scheduler(None)
    assert EVALUATED == [(0, 64), (0, 512), (0, 4096), (0, BLOCK_SIZE), (BLOCK_SIZE, BLOCK_SIZE)]
    scheduler.seek(10 * BLOCK_SIZE + 71)
    scheduler(None)
    assert EVALUATED[5:] == [(10 * BLOCK_SIZE + 64, 64)]


@dataclasses.dataclass(frozen=True)
class Rounded(Schedule):
    """Gives other values where it is asked for a single event, as rounding may."""

    wide: bool

    @property
    def groups(self):
        return 2 if self.wide else None

    def values(self, indices):
        EVALUATED.append((indices[0], len(indices)))
        values = len(indices) + indices
        return np.stack([values, 2 * values], axis=1) if self.wide else values


@pytest.mark.parametrize("wide", [False, True])
def test_a_state_has_the_value_that_was_written_and_evaluates_nothing(wide):
    optimizer = make_optimizer(2)
    scheduler = ParamScheduler(optimizer, "lr", schedule=Rounded(wide))
    for event in range(70):
        scheduler(None)
        EVALUATED.clear()
        value = scheduler.state_dict()["value"]
        assert values_of(optimizer) == (value if wide else [value] * 2), event
    assert EVALUATED == []
    scheduler.seek(1000)  # an event before which nothing was read
    assert scheduler.state_dict()["value"] == ([1000.0, 2000.0] if wide else 1000.0)
    assert EVALUATED == [(999, 1)]


def test_a_function_is_called_once_an_event_and_never_ahead():
    calls = []

    def function(argument):
        calls.append(argument)
        return 0.5

    optimizer = make_optimizer()
    for scheduler, expected in (
        (ParamScheduler(optimizer, "lr", schedule=function), [0, 1, 2]),
        (CyclicScheduler(optimizer, "lr", 0.1, 0.2, 1, scale_fn=function), [1, 1, 2]),
        (CyclicScheduler(optimizer, "lr", 0.1, 0.2, 1, scale_fn=function, scale_mode="iterations"), [0, 1, 2]),
    ):
        calls.clear()
        for event in range(3):
            scheduler(None)
            assert calls == expected[: event + 1]
            assert all(type(call) is int for call in calls)


def test_a_function_may_depend_on_what_happens_in_training():
    optimizer, loss = make_optimizer(), [1.0]
    scheduler = ParamScheduler(optimizer, "lr", schedule=lambda event_index: 0.1 * loss[-1])
    for value in (1.0, 0.5, 0.25):
        loss.append(value)
        assert scheduler.get_param() == 0.1 * value
        scheduler(None)
        assert values_of(optimizer) == [0.1 * value]
    # To look at the value, as a progress bar does, is not to fix it.
    scheduler.get_param()
    loss.append(8.0)
    scheduler(None)
    assert values_of(optimizer) == [0.8]


def test_a_schedule_that_raises_beyond_its_end_is_good_until_there():
    optimizer = make_optimizer()
    scheduler = ParamScheduler(optimizer, "lr", schedule=Table((1.0, 2.0, 3.0)))
    for value in (1.0, 2.0, 3.0):
        scheduler(None)
        assert values_of(optimizer) == [value]
    assert scheduler.simulate(3).tolist() == [[1.0], [2.0], [3.0]]
    with pytest.raises(IndexError, match="index 3 is out of bounds") as raised:
        scheduler(None)
    assert (values_of(optimizer), scheduler.event_index) == ([3.0], 3)
    assert "list index" not in str(raised.value.__context__)


def test_values_beyond_the_end_matter_only_when_they_come():
    optimizer = make_optimizer()
    scheduler = ParamScheduler(optimizer, "lr", schedule=Ending(10))
    for _ in range(11):
        scheduler(None)
    assert values_of(optimizer) == [0.0]
    with pytest.raises(ValueError, match=r"Ending\(end=10\) gave nan for event 11"):
        scheduler(None)
    assert (values_of(optimizer), scheduler.event_index) == ([0.0], 11)
    with pytest.raises(ValueError, match="for event 11"):
        scheduler.simulate(20)
    assert scheduler.simulate(11)[-1, 0] == 0.0
    scheduler.seek(3)
    scheduler(None)
    assert values_of(optimizer) == [float(np.sqrt(0.7))]


def test_values_that_overflow_are_not_written():
    scheduler = ParamScheduler(make_optimizer(), "lr", schedule=CosineAnnealing(1.0, 1.0, 2, start_value_mult=10.0))
    scheduler.seek(2 * 308)
    scheduler(None)
    with pytest.raises(ValueError, match="gave .* for event 618"):
        scheduler.seek(2 * 309), scheduler(None)


@pytest.mark.parametrize("shape", [(), (3,), (2, 64), (64, 1, 1)], ids=str)
def test_a_schedule_must_keep_to_its_shape(shape):
    @dataclasses.dataclass(frozen=True)
    class Misshapen(Schedule):
        def values(self, indices):
            return np.zeros(shape)

    with pytest.raises(ValueError, match="gave an array of shape .* for 64 events"):
        ParamScheduler(make_optimizer(), "lr", schedule=Misshapen())(None)


def test_a_schedule_for_too_many_groups_is_refused():
    @dataclasses.dataclass(frozen=True)
    class TwoGroups(Schedule):
        def values(self, indices):
            return np.ones((len(indices), 2))

    scheduler = ParamScheduler(make_optimizer(3), "lr", schedule=TwoGroups())
    for act in (lambda: scheduler(None), lambda: scheduler.simulate(4)):
        with pytest.raises(
            ValueError, match=rf"gave an array of shape \((64|{BLOCK_SIZE}), 2\) .* but its groups=None needs"
        ):
            act()


@pytest.mark.parametrize("dtype", [bool, complex, str, object])
def test_a_schedule_must_give_real_numbers(dtype):
    @dataclasses.dataclass(frozen=True)
    class Typed(Schedule):
        def values(self, indices):
            return np.ones(len(indices)).astype(dtype)

    optimizer = make_optimizer()
    with pytest.raises(ValueError, match="gave values of type .*, but must give real numbers"):
        ParamScheduler(optimizer, "lr", schedule=Typed())(None)
    assert values_of(optimizer) == [0.5]


def test_blocks_are_the_same_wherever_reading_begins():
    schedule = CosineAnnealing(0.1, 0.001, 37, cycle_mult=1.3)
    start, block = read_block(schedule, 5 * BLOCK_SIZE)
    for index in (5 * BLOCK_SIZE + 1, 6 * BLOCK_SIZE - 1):
        assert read_block(schedule, index)[0] == start
        assert (read_block(schedule, index)[1] == block).all()


@pytest.mark.parametrize(("wide", "size"), [(1, 8192), (16, 8192), (17, 4096), (200, 512), (2**17, 1), (2**18, 1)])
def test_blocks_are_shorter_where_many_groups_have_values_of_their_own(wide, size):
    @dataclasses.dataclass(frozen=True)
    class Wide(Schedule):
        @property
        def groups(self):
            return wide

        def values(self, indices):
            EVALUATED.append((indices[0], len(indices)))
            return np.zeros((len(indices), wide))

    EVALUATED.clear()
    start, block = read_block(Wide(), 5 * size + size // 2)
    assert (start, block.shape, EVALUATED) == (5 * size, (size, wide), [(5 * size, size)])


@pytest.mark.parametrize("groups", [None, 3, 200])
def test_a_run_through_blocks_of_the_real_size_is_its_simulation(groups):
    """Event by event past their ends, where what was prepared for one block must not be taken for the next."""
    optimizer = make_optimizer(groups or 1)
    low = 0.001 if groups is None else [0.001 * (group + 1) for group in range(groups)]
    scheduler = CyclicScheduler(optimizer, "lr", low, 0.3, 700)
    size = block_size(scheduler.schedule)
    table = scheduler.simulate(2 * size + 3)
    for row in table:
        scheduler(None)
        assert values_of(optimizer) == row.tolist()
    for event in (size - 1, size, 1, 2 * size, 0):
        scheduler.seek(event)
        scheduler(None)
        assert values_of(optimizer) == table[event].tolist()
        scheduler(None)
        assert values_of(optimizer) == table[event + 1].tolist()


def test_a_block_of_a_concatenation_asks_those_in_force_alone():
    asked = Counter()

    @dataclasses.dataclass(frozen=True)
    class Asked(Schedule):
        number: int

        @property
        def is_pure(self):
            asked["is_pure"] += 1
            return True

        @property
        def groups(self):
            asked["groups"] += 1
            return None

        def values(self, indices):
            asked[self.number] += len(indices)
            return self.number + 0.0 * indices

    flat = Concatenation([Asked(number) for number in range(100)], [3000] * 99)
    nested = Asked(0)
    for number in range(1, 50):
        nested = Concatenation([nested, Asked(number)], [3000 * number])
    for schedule in (flat, nested):
        asked.clear()
        start, values = read_block(schedule, 20_000)
        events = start + np.arange(len(values))
        assert (values == events // 3000).all()
        assert asked == Counter((events // 3000).tolist())  # and neither groups nor whether to be asked ahead


def test_a_concatenation_gives_the_same_in_any_order():
    schedule = Concatenation([Constant(1.0), Constant([2.0, 3.0]), Constant(4.0)], [5, 0])
    schedule = Concatenation([schedule, Constant(5.0)], [9])
    indices = np.random.default_rng(0).permutation(12)
    assert schedule(indices).tolist() == [[1.0 if i < 5 else 4.0 if i < 9 else 5.0] * 2 for i in indices]
    assert schedule(indices[:0]).shape == (0, 2)
    assert schedule([3, 1]).tolist() == [[1.0, 1.0]] * 2


def test_a_schedule_may_use_its_own_array_again():
    own = np.empty((BLOCK_SIZE, 2))

    @dataclasses.dataclass(frozen=True)
    class Reusing(Schedule):
        @property
        def groups(self):
            return 2

        def values(self, indices):
            own[: len(indices)] = indices[:, None]
            return own[: len(indices)]

    optimizer = make_optimizer(2)
    scheduler = ParamScheduler(optimizer, "lr", schedule=Reusing())
    for event in range(3):
        scheduler(None)
        assert values_of(optimizer) == [event, event]
        scheduler.simulate(1, start=5 * BLOCK_SIZE)


WINDOWS = ((0, 1), (0, 1000), (63, 2), (64, 64), (511, 700), (4095, 2), (8191, 3), (8300, 77))


def test_a_value_has_the_same_bits_in_blocks_of_any_size():
    for example, groups in CASES:
        scheduler = example(make_optimizer(groups))
        if scheduler.schedule.is_pure:
            whole = scheduler.simulate(9000)
            for start, num_events in WINDOWS:
                part = whole[start : start + num_events]
                assert (scheduler.simulate(num_events, start) == part).all(), (example.name, start)


@dataclasses.dataclass(frozen=True)
class DoubledInPlace(Schedule):
    """Changes the list that it reads."""

    inner: Schedule
    function: FunctionSchedule

    def value_from_parts(self, index, read):
        values = read(self.inner, index)
        values[0] *= 2 * read(self.function, index)
        return values

    def values(self, indices):
        raise NotImplementedError


def test_a_list_that_is_read_belongs_to_the_reader():
    optimizer = make_optimizer(2)
    function = FunctionSchedule(lambda event: 1.0)
    scheduler = ParamScheduler(optimizer, "lr", schedule=DoubledInPlace(Constant([1.0, 3.0]), function))
    for _ in range(3):
        scheduler.seek(0)
        scheduler(None)
        assert values_of(optimizer) == [2.0, 3.0]


def test_a_change_of_a_state_does_not_change_later_states():
    scheduler = ParamScheduler(make_optimizer(2), "lr", schedule=Constant([1.0, 3.0]))
    scheduler(None)
    scheduler.state_dict()["value"][0] = 9.0
    assert scheduler.state_dict()["value"] == [1.0, 3.0]
