"""Plain data: what goes in comes out again, of the same type, by way of JSON and of a safe load."""

import json
from collections import Counter, OrderedDict, deque

import pytest
import torch
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st

from lehr.handlers.schedulers.torch.to_plain_data import from_plain, is_plain, to_plain

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
keys = st.text(max_size=3) | st.integers() | st.booleans() | st.none()
nested = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(deque),
        st.sets(keys, max_size=3),
        st.dictionaries(keys, inner, max_size=3),
        st.dictionaries(keys, inner, max_size=3).map(OrderedDict),
        st.dictionaries(keys, st.integers(), max_size=3).map(Counter),
    ),
    max_leaves=8,
)


def same(first, second):
    """Equal, and of the same types all the way down."""
    if type(first) is not type(second):
        return False
    if isinstance(first, dict):
        return len(first) == len(second) and all(
            same(left, right) for left, right in zip(first.items(), second.items(), strict=True)
        )
    if isinstance(first, list | tuple | deque):
        return len(first) == len(second) and all(same(left, right) for left, right in zip(first, second, strict=True))
    return first == second


@given(value=nested)
def test_it_comes_back_as_it_was(value):
    assert same(from_plain(json.loads(json.dumps(to_plain(value)))), value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool])
def test_a_tensor_comes_back_bit_for_bit(dtype, tmp_path):
    for value in (torch.tensor(0.1).to(dtype), torch.tensor([1 / 3, 0.0]).to(dtype), torch.zeros(0, dtype=dtype)):
        torch.save(to_plain(value), tmp_path / "value.pt")
        for travelled in (
            json.loads(json.dumps(to_plain(value))),
            torch.load(tmp_path / "value.pt", weights_only=True),
        ):
            back = from_plain(travelled)
            assert back.dtype == dtype
            assert torch.equal(back, value)


@pytest.mark.parametrize("value", [len, ..., {"a": [lambda: 1]}, {1, len}, b"bytes", 1j, torch.nn.Linear(1, 1)])
def test_values_that_are_no_plain_data_are_refused(value):
    assert not is_plain(value)
    with pytest.raises(TypeError, match="must be plain data"):
        to_plain(value)


@for_each(
    "data",
    [
        {},
        {"list": 3},
        {"list": [], "tuple": []},
        {"no such type": []},
        {"tensor": ["float32"]},
        {"tensor": ["no_such_dtype", 1.0]},
        {"tensor": ["nn", 1.0]},
        {"dict": [["a"]]},
        {"dict": [[{"list": []}, 1]]},
        [1, 2],
        {"Counter": [["a", "b", "c"]]},
        ...,
    ],
    ids=repr,
)
def test_what_was_not_saved_so_is_refused(data):
    with pytest.raises(ValueError, match="must come from to_plain"):
        from_plain(data)
