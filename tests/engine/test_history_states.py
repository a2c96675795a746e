"""Tests of saved histories: bit for bit through every form of checkpoint, and states of earlier versions."""

import inspect
import json
import math
import pickle
import struct
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st

from lehr.engine import HistoryColumn, ParamHistory

RECORDED = json.loads((Path(__file__).parent.parent / "golden" / "history_states.json").read_text())
SPECIAL = [math.inf, -math.inf, math.nan, -0.0, 5e-324, 1.7976931348623157e308]


def bits(row):
    return [struct.pack("<d", value) for value in (row if isinstance(row, list) else [row])]


def filled():
    history = ParamHistory({"lr": [[0.1, 0.2], [1 / 3, -0.0]], "special": [[value] for value in SPECIAL], "none": []})
    history["thinned"] = HistoryColumn([[float(event)] for event in range(21)], max_events=4)
    return history


def through_a_file(state, folder):
    torch.save(state, folder / "history.pt")
    return torch.load(folder / "history.pt", weights_only=True)


@pytest.mark.parametrize("way", [lambda state, _: json.loads(json.dumps(state, allow_nan=False)), through_a_file])
def test_every_bit_survives_json_and_weights_only(way, tmp_path):
    history, other = filled(), ParamHistory({"old": [[1.0]]})
    other.load_state_dict(way(history.state_dict(), tmp_path))
    assert list(other) == list(history)
    for name, column in history.items():
        assert [bits(row) for row in other[name]] == [bits(row) for row in column]
        assert other[name].num_events == column.num_events
        assert other[name].event_indices.tolist() == column.event_indices.tolist()


@given(payload=st.binary(min_size=8, max_size=64).map(lambda data: data[: len(data) // 8 * 8]))
def test_all_bits_of_float64_values_survive(payload):
    values = np.frombuffer(payload, "<f8").tolist()
    column = HistoryColumn([[value] for value in values])
    again = HistoryColumn.from_state_dict(json.loads(json.dumps(column.state_dict())))
    assert [bits(row) for row in again] == [bits(value) for value in values]


@pytest.mark.filterwarnings("ignore:torch.distributed")
@pytest.mark.parametrize("template", [{}, {"lr": [[7.0]] * 50, "other": [[1.0]]}], ids=["empty", "of another run"])
def test_a_distributed_checkpoint_loads_into_a_new_history(template, tmp_path):
    from torch.distributed import checkpoint as dcp  # its import takes half a second

    history, other = filled(), ParamHistory(template)
    options = {"no_dist": True} if "no_dist" in inspect.signature(dcp.save).parameters else {}  # not in torch 2.4
    dcp.save({"history": history}, checkpoint_id=str(tmp_path / "run"), **options)
    dcp.load({"history": other}, checkpoint_id=str(tmp_path / "run"), **options)
    assert other.state_dict() == history.state_dict()


@pytest.mark.parametrize("pickled", [False, True])
def test_a_history_of_an_earlier_version_loads_without_a_warning(pickled):
    """These states were recorded before states had a version, when the values were a list."""
    history = ParamHistory({"old": [[1.0]]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if pickled:  # a checkpoint of ignite contains this with "param_history" in state_dict_user_keys
            history.__setstate__({"columns": RECORDED["state"], "max_events": None})
        else:
            history.load_state_dict(RECORDED["state"])
    assert set(history) == set(RECORDED["kept"])
    for name, kept in RECORDED["kept"].items():
        column = history[name]
        rows = [[value.hex() for value in row] if isinstance(row, list) else row.hex() for row in column]
        assert rows == kept["values"]
        assert column.event_indices.tolist() == kept["event_indices"]
        assert column.num_events == kept["num_events"]
    again = pickle.loads(pickle.dumps(history))
    assert again.state_dict() == history.state_dict()
    assert history.state_dict()["version"] == 1


ROW = ["lr", "AAAAAAAA8D8=", [[0, 0, 1, 1]], 1, 0]


@for_each(
    ("state", "match"),
    [
        ({"version": 2, "columns": [ROW]}, "given 2; a later version of lehr saved this state"),
        ({"version": True, "columns": [ROW]}, "the version of the state of a history must be 1 or less, given True"),
        ({"version": 1}, "columns must be lists of a name, values, runs, stride, left_out"),
        ({"version": 1, "columns": [ROW], "name": "lr"}, "columns must be lists"),
        ({"version": 1, "columns": {"lr": ROW}}, "columns must be lists"),
        ({"version": 1, "columns": [ROW[:4]]}, "columns must be lists"),
        ({"version": 1, "columns": [[3, *ROW[1:]]]}, "names must be strings, given one int"),
        ({"version": 1, "columns": [ROW, ROW]}, "names must differ, given 2 columns"),
        ({"version": 1, "columns": [["lr", "AAAAAAAA8D8", *ROW[2:]]]}, "the base 64 of doubles"),
        ({"version": 1, "columns": [["lr", "AAAAAAAA8D8=!", *ROW[2:]]]}, "the base 64 of doubles"),
        ({"version": 1, "columns": [["lr", "AAAAAAAA8A==", *ROW[2:]]]}, "the base 64 of doubles"),
        ({"version": 1, "columns": [["lr", "\u03bb", *ROW[2:]]]}, "the base 64 of doubles"),
        ({"version": 1, "columns": [["lr", ROW[1], [[0, 0, 2, 2]], 1, 0]]}, "runs must follow one another"),
        ({"version": 1, "columns": [["lr", ROW[1], [], 1, 0]]}, "runs must contain all values"),
        ({"version": 1, "columns": [["lr", *ROW[1:3], 1, 1]]}, "stride must be an int above left_out"),
    ],
)
def test_a_broken_state_is_refused_and_changes_nothing(state, match):
    history = ParamHistory({"lr": [[7.0]]})
    with pytest.raises((TypeError, ValueError), match=match):
        history.load_state_dict(state)
    assert history == {"lr": [[7.0]]}


def test_a_checkpoint_takes_at_most_11_bytes_per_value(tmp_path):
    values = np.random.default_rng(0).random((20_000, 5))
    history = ParamHistory({"lr": values.tolist()})
    loaded = through_a_file(history.state_dict(), tmp_path)
    assert (tmp_path / "history.pt").stat().st_size < 11 * values.size
    history.load_state_dict(loaded)
    assert (history.to_numpy("lr") == values).all()


def test_a_csv_of_any_length_is_written_in_the_same_memory(tmp_path):
    peaks = []
    for events in (20_000, 80_000):
        history = ParamHistory({"lr": [[0.1]]})
        history["lr"].appender(1, per_group=True)(np.random.default_rng(0).random(events).tolist())
        tracemalloc.start()
        history.to_csv(tmp_path / "history.csv")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_a_csv_of_several_blocks_has_all_events_in_order(tmp_path):
    history = ParamHistory({"lr": [[event / 7] for event in range(30_001)]})
    history["few"] = HistoryColumn([[float(event), math.nan] for event in range(10_001)], max_events=100)
    history["short"] = [[math.inf], [-0.0]]
    history.to_csv(tmp_path / "history.csv")
    header, *lines = (tmp_path / "history.csv").read_text(encoding="utf-8").splitlines()
    few = dict(zip(history["few"].event_indices.tolist(), history["few"], strict=True))
    assert header == "event_index,lr,few[0],few[1],short"
    assert lines == [
        f"{event},{event / 7!r},{few[event][0] if event in few else ''},,{['inf', '-0.0'][event] if event < 2 else ''}"
        for event in range(30_001)
    ]


def test_events_may_be_added_while_a_column_is_read():
    column = HistoryColumn([[float(event)] for event in range(10_000)])
    seen = []
    for row in column:
        seen.append(row)
        column.append([0.5])
    assert seen == [[float(event)] for event in range(10_000)]
    rows = iter(column)
    next(rows)
    column.take_back(15_000)
    with pytest.raises(IndexError, match="events were removed while"):
        list(rows)
