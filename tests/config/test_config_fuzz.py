"""A config with one wrong part is legal, or an error names the part and the optimizer stays unchanged."""

import copy
import functools
import math
from contextlib import suppress

import pytest
import torch
from cases import few_by_default
from golden_cases import PEERS, cases_of, config_of, optimizer_of
from huge import HUGE, huge_value
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine
from optimizers import make_optimizer, snapshot
from registry import CASES

from lehr.handlers import configure_scheduler

# A wrong value may also be illegal for the optimizer. A warning says this when the scheduler writes it.
pytestmark = pytest.mark.filterwarnings("ignore:.* must be .*, but .* writes")

TABLES = {
    peer: [case for case in cases_of(peer) if (case.get("raises") or {}).get("where") != "constructor"]
    for peer in PEERS
}
nonsense = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.lists(st.floats() | st.integers(-2, 9) | st.text(max_size=2), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from(["os.system", "torch.StepLR", "__import__('os')", math.cos, len, torch.zeros(2)]),
    st.sampled_from([*HUGE]).map(huge_value),
    st.fixed_dictionaries({"type": st.sampled_from(["torch.StepLR", "StepScheduler", "Anneal", "os.system"])}),
)


def places(config, path=()):
    """Yield the path of each key of a mapping and each index of a list in a config."""
    if isinstance(config, dict | list):
        for key, value in config.items() if isinstance(config, dict) else enumerate(config):
            yield (*path, key)
            yield from places(value, (*path, key))


def mutated(config, data):
    """Return a copy of a config in which one part is dropped, renamed, added or replaced."""
    config = copy.deepcopy(config)  # before the drawn parts are in it, which may be too deep to copy
    found = list(places(config))
    *path, last = data.draw(st.sampled_from(found))
    where = config
    for key in path:
        where = where[key]
    kind = data.draw(st.sampled_from(["replace", "replace", "drop", "rename", "add"]))
    if kind == "replace":
        where[last] = data.draw(nonsense)
    elif kind == "add":
        if isinstance(where, dict):
            where[data.draw(st.text(min_size=1, max_size=5))] = data.draw(nonsense)
        else:
            where.append(data.draw(nonsense))
    else:
        value = where.pop(last)
        if kind == "rename" and isinstance(where, dict):
            where[str(last) + data.draw(st.sampled_from("xs_"))] = value
    return config


def refused_or_legal(optimizer, config, epoch_length):
    before = snapshot(optimizer)
    try:
        scheduler = configure_scheduler(optimizer, config, epoch_length=epoch_length)
    except (TypeError, ValueError) as error:
        assert str(error).startswith(("config", "epoch_length", "each")), error
        assert len(str(error)) <= 500
        assert snapshot(optimizer) == before
        return
    assert snapshot(optimizer) == before
    engine = Engine(lambda engine, batch: None)
    for event in range(5):
        try:
            scheduler(engine)
        except (TypeError, ValueError) as error:  # some numbers and functions fail only here
            words = str(error)
            assert any(
                word in words for word in ("inf", "nan", "metric", "the value of", "overflow", "too large", "no len()")
            ), error
            return
        metric_name = getattr(scheduler, "metric_name", "loss")
        engine.state.metrics[metric_name] = 1.0 + event
    for group in optimizer.param_groups:
        held = [*group["betas"], *(group[key] for key in ("lr", "weight_decay"))] if "betas" in group else [group["lr"]]
        assert all(isinstance(value, float | int) and math.isfinite(value) for value in held)


@pytest.mark.parametrize("peer", PEERS)
@few_by_default(8)
@given(data=st.data())
def test_configs_of_other_libraries(peer, data):
    case = data.draw(st.sampled_from(TABLES[peer]))
    config = mutated(config_of(case), data)
    refused_or_legal(optimizer_of(case), config, case["steps_per_epoch"])


@functools.cache
def own_configs():
    """The number of groups and the config of each scheduler that has one."""
    found = []
    for example, groups in CASES:
        with suppress(TypeError):  # the config would contain a function
            found.append((groups, example(make_optimizer(groups)).config()))
    return found


@given(data=st.data(), epoch_length=st.sampled_from([None, None, 3]))
def test_configs_of_lehrs_own(data, epoch_length):
    groups, config = data.draw(st.sampled_from(own_configs()))
    refused_or_legal(make_optimizer(groups), mutated(config, data), epoch_length)


@given(
    nonsense
    | st.recursive(
        nonsense, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    )
)
def test_anything_else(config):
    if isinstance(config, str):
        return  # a string is the path of a file
    refused_or_legal(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1), config, None)
