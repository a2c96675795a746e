"""Tests of the history: reading, memory, saving, files, and two schedulers that record under one name."""

import copy
import csv
import gc
import json
import pickle
import sys

import numpy as np
import pytest
import torch
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Events
from ignite.handlers import Checkpoint, DiskSaver
from optimizers import make_optimizer, make_trainer

from lehr.engine import HistoryColumn, ParamHistory
from lehr.handlers import (
    CosineAnnealingScheduler,
    LinearCyclicalScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ReduceOnPlateauScheduler,
)

number = st.floats(allow_nan=False)
# A list of group values, or a bare number where there are no groups.
rows = st.lists(st.lists(number, min_size=1, max_size=3) | number, max_size=12)


@given(rows=rows)
def test_a_column_reads_as_a_list_of_lists(rows):
    column = HistoryColumn(rows)
    assert len(column) == len(rows)
    assert column == rows
    assert list(column) == rows
    assert column[:] == rows
    assert column[1:5:2] == rows[1:5:2]
    assert column != [*rows, [1.0]]
    for event in range(-len(rows), len(rows)):
        assert column[event] == rows[event]
    for event in (len(rows), -len(rows) - 1):
        with pytest.raises(
            IndexError, match=f"index must be within the {len(rows)} events of the history, given {event}"
        ):
            column[event]


@given(rows=rows)
def test_a_column_is_an_array_with_nan_where_there_was_no_group(rows):
    table = HistoryColumn(rows).to_numpy()
    lists = [row if isinstance(row, list) else [row] for row in rows]
    width = max(map(len, lists), default=1)
    assert table.shape == (len(rows), width)
    for event, row in enumerate(lists):
        assert table[event, : len(row)].tolist() == row
        assert np.isnan(table[event, len(row) :]).all()


@given(columns=st.dictionaries(st.text(max_size=3), rows, max_size=3))
def test_a_history_survives_saving(columns):
    history = ParamHistory(columns)
    for travelled in (
        json.loads(json.dumps(history.state_dict())),
        pickle.loads(pickle.dumps(history)).state_dict(),
        copy.deepcopy(history).state_dict(),
    ):
        other = ParamHistory({"old": [[1.0]]})
        other.load_state_dict(travelled)
        assert other == columns
        assert list(other) == list(columns)
        for name in other:
            other[name].append([0.5])
            assert other[name] == [*columns[name], [0.5]]


GOOD = {"values": [1.0, 2.0, 3.0, 4.0], "runs": [[0, 0, 1, 1], [2, 2, 2, 2]]}
BAD_STATES = {
    "no mapping": [("lr", GOOD)],
    "no column": {"lr": [1.0]},
    "no runs": {"lr": {"values": [1.0]}},
    "no values": {"lr": {"runs": []}},
    "text": {"lr": {**GOOD, "values": ["a"]}},
    "half an event": {"lr": {"values": [1.0, 2.0, 3.0], "runs": [[0, 0, 2, 2]]}},
    "values of no event": {"lr": {"values": [1.0], "runs": []}},
    "a run out of place": {"lr": {**GOOD, "runs": [[0, 0, 1, 1], [3, 2, 2, 2]]}},
    "a run that begins late": {"lr": {**GOOD, "runs": [[0, 1, 1, 1]]}},
    "runs backwards": {"lr": {**GOOD, "runs": [[0, 0, 1, 1], [4, 4, 1, 1], [2, 2, 1, 1]]}},
    "a run beyond the values": {"lr": {**GOOD, "runs": [[0, 0, 1, 1], [9, 9, 1, 1]]}},
    "no groups": {"lr": {**GOOD, "runs": [[0, 0, 0, 0]]}},
    "more stored than groups": {"lr": {**GOOD, "runs": [[0, 0, 1, 2]]}},
    "floats": {"lr": {**GOOD, "runs": [[0.0, 0.0, 1.0, 1.0]]}},
    "bools": {"lr": {**GOOD, "runs": [[False, False, True, True]]}},
    "a run of text": {"lr": {**GOOD, "runs": [[0, 0, 1, 1], ["a", "b", "c", "d"]]}},
    "a number beyond float": {"lr": {**GOOD, "values": [10**400]}},
    "bytes": {"lr": {"values": bytes(8), "runs": [[0, 0, 1, 1]]}},
    "more keys": {"lr": {**GOOD, "name": "lr"}},
    "a bool among the values": {"lr": {**GOOD, "values": [1.0, True, 3.0, 4.0]}},
    "a number for values": {"lr": {**GOOD, "values": 3}},
    "too short a run": {"lr": {**GOOD, "runs": [[0, 0]]}},
    "a name that is no string": {3: GOOD},
}


@for_each("state", BAD_STATES.values(), ids=BAD_STATES)
def test_a_broken_state_loads_nothing(state):
    history = ParamHistory({"lr": [[7.0]]})
    with pytest.raises((TypeError, ValueError), match="state"):
        history.load_state_dict(state)
    if isinstance(state, dict):
        with pytest.raises((TypeError, ValueError), match="state"):
            history.load_state_dict({"good": GOOD, **state})
    assert history == {"lr": [[7.0]]}


def test_memory_is_at_most_9_bytes_per_value():
    optimizer, trainer = make_optimizer(200), make_trainer()
    one = CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.01, 100, save_history=True)
    each = OneCycleScheduler(optimizer, "momentum", [0.9] * 200, total_steps=5000, save_history=True)
    for scheduler in (one, each):
        for _ in range(5000):
            scheduler(trainer)
    history = trainer.state.param_history
    assert history["lr"][-1] == [group["lr"] for group in optimizer.param_groups]
    assert sys.getsizeof(history["momentum"]._values) <= 9 * 200 * 5000
    # If all groups have the same value, it is stored once instead of two hundred times.
    assert sys.getsizeof(history["lr"]._values) <= 9 * 5000 + 1000


def test_a_csv_file_contains_the_same_floats(tmp_path):
    history = ParamHistory({"lr": [[0.1], [1 / 3], [1e-300]], "wd": [[0.1, 0.2], [0.3]]})
    history.to_csv(tmp_path / "history.csv")
    with open(tmp_path / "history.csv", newline="") as file:
        header, *table = csv.reader(file)
    assert header == ["event_index", "lr", "wd[0]", "wd[1]"]
    assert [[cell and float(cell) for cell in row] for row in table] == [
        [0, 0.1, 0.1, 0.2],
        [1, 1 / 3, 0.3, ""],
        [2, 1e-300, "", ""],
    ]


def test_plot_draws_a_line_for_each_group(axes):
    history = ParamHistory({"lr": [[0.1, 1.0], [0.2, 2.0], [0.3, 3.0]]})
    lines = history.plot("lr", axes, color="black")
    assert [line.get_ydata().tolist() for line in lines] == [[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]]
    assert [line.get_xdata().tolist() for line in lines] == [[0, 1, 2]] * 2
    assert [line.get_label() for line in lines] == ["lr, group 0", "lr, group 1"]
    assert {line.get_color() for line in lines} == {"black"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("event", "lr")
    assert list(axes.lines) == lines


def test_two_schedulers_may_not_record_under_one_name():
    optimizer, trainer = make_optimizer(2), make_trainer()
    first = LinearCyclicalScheduler(optimizer, "lr", 0, 1, 4, save_history=True, param_group_index=0)
    second = LinearCyclicalScheduler(optimizer, "lr", 0, 2, 4, save_history=True, param_group_index=1)
    first.attach(trainer)
    with pytest.raises(
        ValueError, match="(?s)name must not be .*'lr'.*attach one of these schedulers with another name"
    ):
        second.attach(trainer)
    assert not trainer.has_event_handler(second)
    # With ``add_event_handler`` of ignite, the error comes at the first event, before the first training step.
    trainer.add_event_handler(Events.ITERATION_STARTED, second)
    trainer.logger.disabled = True
    with pytest.raises(ValueError, match="name must not be that of another scheduler's history"):
        trainer.run([0])
    assert trainer.state.output is None

    trainer = make_trainer()
    first.seek(0)
    first.attach(trainer)
    second.attach(trainer, name="lr of the head")
    trainer.run([0] * 3, max_epochs=1)
    assert set(trainer.state.param_history) == {"lr", "lr of the head"}


def test_a_name_is_free_again_after_its_scheduler_is_deleted():
    optimizer, trainer = make_optimizer(), make_trainer()
    first = LinearCyclicalScheduler(optimizer, "lr", 0, 1, 4, save_history=True)
    handle = first.attach(trainer, Events.ITERATION_STARTED(every=1))
    trainer.run([0] * 2, max_epochs=1)
    handle.remove()
    ParamScheduler(optimizer, "lr", save_history=True, schedule=lambda event: 7).attach(trainer)
    trainer.run([0] * 2, max_epochs=2)
    assert trainer.state.param_history["lr"] == [[0.0], [0.5], [7.0], [7.0]]


def test_one_scheduler_may_be_attached_twice_and_under_two_names():
    optimizer, trainer = make_optimizer(), make_trainer()
    scheduler = LinearCyclicalScheduler(optimizer, "lr", 0, 1, 4, save_history=True)
    scheduler.attach(trainer, Events.EPOCH_STARTED, name="start")
    scheduler.attach(trainer, Events.EPOCH_COMPLETED, name="end")
    trainer.run([0], max_epochs=3)
    assert trainer.state.param_history == {"start": [[0.0], [1.0], [0.0]], "end": [[0.5], [0.5], [0.5]]}


def test_nothing_is_recorded_without_save_history():
    optimizer, trainer = make_optimizer(), make_trainer()
    scheduler = LinearCyclicalScheduler(optimizer, "lr", 0, 1, 4)
    scheduler.attach(trainer)
    trainer.run([0], max_epochs=3)
    assert not hasattr(trainer.state, "param_history")
    scheduler.save_history = True
    scheduler(None)
    scheduler.seek(4)  # it is meant to be one event ahead
    trainer.run([0], max_epochs=5)
    assert trainer.state.param_history == {"lr": [[0.0], [0.5]]}  # events 4 and 5


def test_values_for_one_group_and_for_all_may_alternate():
    optimizer, trainer = make_optimizer(2), make_trainer()
    function = [0.5, [0.1, 0.2], 0.25, [0.3, 0.4]].__getitem__
    scheduler = ParamScheduler(optimizer, "lr", save_history=True, schedule=lambda event: function(event))
    for _ in range(4):
        scheduler(trainer)
    assert trainer.state.param_history["lr"] == [[0.5, 0.5], [0.1, 0.2], [0.25, 0.25], [0.3, 0.4]]


def test_recording_continues_in_a_replaced_or_edited_history():
    optimizer, trainer = make_optimizer(3), make_trainer()
    scheduler = LinearCyclicalScheduler(optimizer, "lr", 0, 1, 4, save_history=True)
    scheduler(trainer)
    trainer.state.param_history["lr"].append([9.0, 9.0, 9.0])
    scheduler(trainer)
    assert trainer.state.param_history["lr"] == [[0.0] * 3, [9.0] * 3, [0.5] * 3]
    saved = trainer.state.param_history.state_dict()
    trainer.state.param_history = ParamHistory()
    scheduler(trainer)
    trainer.state.param_history.load_state_dict(saved)
    scheduler(trainer)
    assert trainer.state.param_history["lr"] == [[0.0] * 3, [9.0] * 3, [0.5] * 3, [0.5] * 3]
    del trainer.state.param_history["lr"]
    scheduler(trainer)
    assert trainer.state.param_history == {"lr": [[0.0] * 3]}


def test_a_run_saved_by_ignites_checkpoint_continues(tmp_path):
    def make(history):
        optimizer, trainer = make_optimizer(2), make_trainer()
        trainer.state.param_history = history
        scheduler = CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.01, 7, save_history=True)
        scheduler.attach(trainer)
        return trainer, {"trainer": trainer, "scheduler": scheduler, "history": history}

    unbroken, _ = make(ParamHistory())
    unbroken.run([0] * 5, max_epochs=6)

    trainer, to_save = make(ParamHistory())
    saver = Checkpoint(to_save, DiskSaver(str(tmp_path)), n_saved=None, global_step_transform=lambda *_: 0)
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=3), saver)
    trainer.run([0] * 5, max_epochs=4)

    trainer, to_load = make(ParamHistory())
    Checkpoint.load_objects(to_load, torch.load(next(tmp_path.iterdir()), weights_only=True))
    assert len(trainer.state.param_history["lr"]) == to_load["scheduler"].event_index == 15
    trainer.run([0] * 5, max_epochs=6)
    assert trainer.state.param_history == unbroken.state.param_history


def test_deleting_the_trainer_frees_all_memory():
    import weakref

    optimizer, trainer = make_optimizer(), make_trainer()
    scheduler = LinearCyclicalScheduler(optimizer, "lr", 0, 1, 4, save_history=True)
    scheduler.attach(trainer, Events.ITERATION_STARTED(every=2))
    trainer.run([0] * 4)
    parameter = optimizer.param_groups[0]["params"][0]
    watched = [weakref.ref(thing) for thing in (optimizer, trainer, scheduler, parameter)]
    del optimizer, trainer, scheduler, parameter
    gc.collect()
    assert [ref() for ref in watched] == [None] * 4


@pytest.mark.parametrize("kind", ["schedule", "function", "get_param", "one group of two"])
def test_a_list_of_one_value_is_recorded(kind):
    class Own(ParamScheduler):
        def get_param(self):
            return [0.25]

    optimizer, trainer = make_optimizer(2 if kind == "one group of two" else 1), make_trainer()
    schedule = (lambda event: [0.25]) if kind != "schedule" else OneCycleScheduler(optimizer, "lr", [0.25], 5).schedule
    index = 1 if kind == "one group of two" else None
    cls, schedule = (Own, None) if kind == "get_param" else (ParamScheduler, schedule)
    scheduler = cls(optimizer, "lr", True, index, schedule=schedule)
    expected = scheduler.simulate(2).tolist()
    scheduler.attach(trainer)
    trainer.run([0] * 2)
    assert trainer.state.param_history["lr"] == expected


@pytest.mark.filterwarnings("ignore:.* the engine begins a run at iteration 0")
@pytest.mark.parametrize("way", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))], ids=["copy", "pickle"])
def test_a_copy_of_a_scheduler_records_into_its_own_history(way):
    optimizer, trainer = make_optimizer(), make_trainer()
    scheduler = LinearCyclicalScheduler(optimizer, "lr", 0, 1, 4, save_history=True)
    scheduler.attach(trainer)
    trainer.run([0] * 3)
    history = trainer.state.param_history
    other_history, other = way((history, scheduler))
    assert other.event_index == 3
    trainer = make_trainer()
    trainer.state.param_history = other_history
    other.attach(trainer)
    trainer.run([0] * 2)
    assert history["lr"] == [[0.0], [0.5], [1.0]]
    assert other_history["lr"] == [[0.0], [0.5], [1.0], [0.5], [0.0]]


def test_a_shallow_copy_is_another_scheduler():
    optimizer, trainer = make_optimizer(), make_trainer()
    scheduler = LinearCyclicalScheduler(optimizer, "lr", 0, 1, 4, save_history=True)
    scheduler.attach(trainer)
    trainer.run([0])
    twin = copy.copy(scheduler)
    with pytest.raises(ValueError, match="name must not be that of another scheduler's history"):
        twin(trainer)
    assert (twin.event_index, trainer.state.param_history["lr"]) == (1, [[0.0]])


def test_bad_rows_change_nothing():
    column = HistoryColumn([[0.1, 0.2]])
    for row in ([0.3, "x"], [None], []):
        with pytest.raises((TypeError, ValueError)):
            column.append(row)
    column.append([0.5, 0.6])
    assert column == [[0.1, 0.2], [0.5, 0.6]]


def test_two_recorders_of_one_name_are_an_error_before_any_write():
    optimizer, trainer = make_optimizer(2), make_trainer()
    trainer.logger.disabled = True
    for index in (0, 1):
        scheduler = LinearCyclicalScheduler(optimizer, "lr", 0.125, 1, 4, save_history=True, param_group_index=index)
        trainer.add_event_handler(Events.ITERATION_STARTED, scheduler)
    with pytest.raises(ValueError, match="name must not be"):
        trainer.run([0])
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 1.5]
    assert scheduler.event_index == 0


def test_equal_headings_are_refused(tmp_path):
    for columns in ({"lr": [[1.0, 2.0]], "lr[0]": [[1.0]]}, {"event_index": [[1.0]]}):
        with pytest.raises(ValueError, match="names must lead to different headings, given .* twice"):
            ParamHistory(columns).to_csv(tmp_path / "history.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_history_reads_like_a_dictionary():
    history = ParamHistory({"lr": [[1.0]]})
    assert history.get("lr") == [[1.0]]
    assert history.get("wd") is None
    assert history.setdefault("wd", [[2.0]]) == [[2.0]]
    assert (list(history), len(history), "wd" in history) == (["lr", "wd"], 2, True)
    assert dict(history) == dict(history.items()) == {"lr": [[1.0]], "wd": [[2.0]]}
    assert [column[0] for column in history.values()] == [[1.0], [2.0]]
    with pytest.raises(KeyError):
        history["momentum"]
    assert history != {}
    assert "lr" in repr(history)


def test_a_column_prints_few_events_fully_and_many_by_their_ends():
    assert repr(HistoryColumn([[float(event)] for event in range(6)])) == "[[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]]"
    assert repr(HistoryColumn([[0.5]] * 100)) == repr([[0.5]] * 100)
    assert repr(HistoryColumn([[float(event)] for event in range(101)])) == "<101 events, from [0.0] to [100.0]>"


def test_csv_is_written_in_utf_8(tmp_path):
    ParamHistory({"\u03bb": [[1.0]]}).to_csv(tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_bytes() == "event_index,\u03bb\r\n0,1.0\r\n".encode()


@pytest.mark.parametrize(
    "column",
    [
        {**GOOD, "runs": [[0, 0, 1, 1], [2, 2, 2, 2.0]]},
        {**GOOD, "values": None},
        {**GOOD, "runs": [3]},
        {**GOOD, "runs": None},
        None,
        ["values", "runs"],
    ],
    ids=str,
)
def test_a_broken_column_is_a_value_error(column):
    with pytest.raises(ValueError, match="not the state of a history column"):
        ParamHistory().load_state_dict({"lr": column})


def test_two_recorders_of_one_name_are_an_error_in_every_way_of_attaching():
    """This includes a scheduler of several parameters, and a scheduler that records in another engine."""
    optimizer, trainer, evaluator = make_optimizer(2), make_trainer(), make_trainer()
    lr = ParamScheduler(optimizer, "lr", save_history=True, schedule=abs)
    lr.attach(trainer)
    others = [
        ParamGroupScheduler([lr], save_history=True),
        ReduceOnPlateauScheduler(optimizer, "lr", "loss", save_history=True, trainer=trainer),
    ]
    for other, engine in zip(others, (trainer, evaluator), strict=True):
        with pytest.raises(ValueError, match="name must not be that of another scheduler's history, given 'lr'"):
            other.attach(engine, Events.EPOCH_COMPLETED)
        assert not engine.has_event_handler(other)
