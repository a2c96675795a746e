"""Tests of a history with ``max_events``: its events are evenly spaced, and its memory is bounded."""

import copy
import json
import pickle
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimizers import make_optimizer, make_trainer

from lehr.engine import HistoryColumn, ParamHistory
from lehr.handlers import ParamScheduler
from lehr.handlers.schedules import Anneal


def shapes():
    """Draw long stretches of events: of one group, of three groups with own or equal values, or of bare numbers."""
    return st.lists(
        st.tuples(st.sampled_from(["one", "three", "shared", "bare"]), st.integers(1, 60)), min_size=1, max_size=6
    )


def fill(column, stretches):
    """Record events as a scheduler does, and return all rows."""
    rows = []
    for kind, length in stretches:
        groups = {"one": 1, "three": 3, "shared": 3, "bare": 0}[kind]
        for _ in range(length):
            value = float(len(rows))
            add = column.appender(groups, per_group=kind in ("one", "three"))
            add([value] * groups if kind in ("one", "three") else value)
            rows.append([value] * groups if groups else value)
    return rows


@given(stretches=shapes(), most=st.integers(2, 40))
def test_a_thinned_column_keeps_every_nth_event_from_the_first_on(stretches, most):
    column = HistoryColumn(max_events=most)
    rows = fill(column, stretches)
    assert column.num_events == len(rows)
    assert len(column) <= most
    assert len(column) >= min(len(rows), most // 2)
    assert column.event_indices.tolist() == list(range(0, len(rows), column.stride))
    assert list(column) == [rows[event] for event in column.event_indices]
    again = HistoryColumn.from_state_dict(json.loads(json.dumps(column.state_dict())), max_events=most)
    assert again == column
    assert (again.stride, again.num_events) == (column.stride, column.num_events)
    assert fill(again, [("one", 30)])
    assert fill(column, [("one", 30)])
    assert again.state_dict() == column.state_dict()


@given(stretches=shapes(), most=st.none() | st.integers(2, 40), back=st.integers(0, 100))
def test_removed_events_that_are_recorded_again_leave_no_trace(stretches, most, back):
    column = HistoryColumn(max_events=most)
    rows = fill(column, stretches)
    taken = HistoryColumn.from_state_dict(column.state_dict(), max_events=most)
    taken.take_back(back)
    assert taken.num_events == max(len(rows) - back, 0)
    for row in rows[taken.num_events :]:
        taken.append(row)
    assert taken == column
    assert (taken.stride, taken.num_events) == (column.stride, column.num_events)


def test_a_loaded_column_is_thinned_to_the_limit():
    column = HistoryColumn([[float(event)] for event in range(1000)])
    few = HistoryColumn.from_state_dict(column.state_dict(), max_events=10)
    assert few.event_indices.tolist() == list(range(0, 1000, 128))
    assert few.num_events == 1000
    # A thinned column that is loaded without a limit continues with the same distance between events.
    more = HistoryColumn.from_state_dict(few.state_dict())
    for event in range(1000, 1100):
        more.append([float(event)])
    assert more.event_indices.tolist() == list(range(0, 1100, 128))
    assert [value for (value,) in more] == more.event_indices.tolist()


@pytest.mark.parametrize(
    ("most", "error", "match"),
    [
        (1, ValueError, "max_events must be at least 2, given 1"),
        (0, ValueError, "max_events must be at least 2, given 0"),
        (2.0, TypeError, "max_events must be an int or None, given 2.0"),
        (True, TypeError, "max_events must be an int or None, given True"),
    ],
)
def test_max_events_must_be_valid(most, error, match):
    with pytest.raises(error, match=match):
        ParamHistory(max_events=most)


@pytest.mark.parametrize(
    "bad", [{"stride": 0}, {"stride": 2, "left_out": 2}, {"left_out": 1}, {"stride": "2"}, {"every": 2}]
)
def test_a_broken_state_of_a_thinned_column_is_a_value_error(bad):
    with pytest.raises(ValueError, match="not the state of a history column"):
        HistoryColumn.from_state_dict({**HistoryColumn([[0.1]]).state_dict(), **bad})


def test_the_memory_of_a_long_run_is_bounded():
    optimizer, trainer = make_optimizer(3), make_trainer()
    trainer.state.param_history = history = ParamHistory(max_events=1000)
    scheduler = ParamScheduler(optimizer, "lr", save_history=True, schedule=Anneal([1.0, 2.0, 3.0], 0.0, 10**5))
    scheduler.attach(trainer)
    tracemalloc.start()
    trainer.run([None] * 100, max_epochs=50)  # by then, blocks of values have their full size
    early, _ = tracemalloc.get_traced_memory()
    trainer.run([None] * 100, max_epochs=100)
    late, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    column = history["lr"]
    assert column.num_events == 10_000
    assert len(column) <= 1000
    assert (column.to_numpy() == scheduler.simulate(10_000)[column.event_indices]).all()
    assert late - early < 8 * 1000 * 3


def test_a_billion_events_fit_into_the_same_memory():
    """The state comes from a run that is nearly this long: it was thinned 20 times, each time to a half."""
    column = HistoryColumn([[float(event)] for event in range(1000)], max_events=1000)
    state = {**column.state_dict(), "stride": 2**20, "left_out": 2**20 - 1}
    column = HistoryColumn.from_state_dict(state, max_events=1000)
    assert column.num_events == 1000 * 2**20 > 10**9
    column.append([7.0])
    assert (len(column), column.stride, column.num_events) == (501, 2**21, 1000 * 2**20 + 1)
    assert column[-1] == [7.0]


def test_a_thinned_history_is_written_and_drawn_at_its_events(tmp_path, axes):
    history = ParamHistory({"lr": [[float(event)] for event in range(20)]}, max_events=5)
    history["decay"] = [[float(event), 1.0] for event in range(10)]
    history.to_csv(tmp_path / "history.csv")
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == "event_index,lr,decay[0],decay[1]"
    assert lines[1:] == [
        "0,0.0,0.0,1.0",
        "2,,2.0,1.0",
        "4,4.0,4.0,1.0",
        "6,,6.0,1.0",
        "8,8.0,8.0,1.0",
        "12,12.0,,",
        "16,16.0,,",
    ]
    (line,) = history.plot("lr", axes)
    assert line.get_xdata().tolist() == [0, 4, 8, 12, 16]


def test_a_copy_of_a_history_keeps_its_limit():
    history = ParamHistory({"lr": [[0.1]] * 100}, max_events=10)
    for copied in (pickle.loads(pickle.dumps(history)), copy.deepcopy(history)):
        assert copied == history
        assert copied.max_events == 10
        assert copied["lr"].num_events == 100
