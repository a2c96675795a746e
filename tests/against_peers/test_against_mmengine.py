"""Configs of mmengine's schedulers against mmengine itself, over drawn arguments and windows."""

import warnings

import numpy as np
import pytest
import torch
from against_ignite import few
from hypothesis import given
from hypothesis import strategies as st

from lehr.handlers import configure_scheduler

EVENTS = 40
gammas, factors, floors = st.floats(0.5, 1.1), st.floats(0.05, 1.0), st.floats(0.0, 0.3)
KINDS = {
    "Constant": st.fixed_dictionaries({"factor": factors}),
    "CosineAnnealing": st.fixed_dictionaries({}, optional={"T_max": st.integers(1, 20), "eta_min": floors}),
    "CosineRestart": st.fixed_dictionaries(
        {"periods": st.just([5, 9]), "restart_weights": st.just([1.0, 0.6]), "eta_min": floors}
    ),
    "Exponential": st.fixed_dictionaries({"gamma": gammas}),
    "Linear": st.fixed_dictionaries({"start_factor": factors, "end_factor": factors}),
    "MultiStep": st.fixed_dictionaries({"milestones": st.lists(st.integers(0, 20), max_size=3), "gamma": gammas}),
    "Poly": st.fixed_dictionaries({}, optional={"eta_min": floors, "power": st.floats(0.3, 3)}),
    "Step": st.fixed_dictionaries({"step_size": st.integers(1, 9), "gamma": gammas}),
}
windows = st.tuples(st.integers(0, 20), st.integers(1, 25)).map(lambda one: {"begin": one[0], "end": one[0] + one[1]})
entries = st.one_of(
    *[
        st.tuples(kwargs, windows).map(lambda one, kind=kind: {"type": kind, **one[0], **one[1]})
        for kind, kwargs in KINDS.items()
    ]
)
initial = st.lists(st.floats(0.2, 1.0), min_size=1, max_size=3)


def optimizer_of(rates):
    return torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates], lr=0.1)


def held(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


@pytest.fixture(scope="module", autouse=True)
def imported():
    """Skip the tests where there is no mmengine; import it here, since that takes a second."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("mmengine.optim.scheduler", reason="mmengine is not installed", exc_type=ImportError)


def in_mmengine(configs, rates, epoch_length=None):
    from mmengine.optim import scheduler as peer

    optimizer, rows = optimizer_of(rates), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schedulers = []
        for config in configs:
            kwargs = {key: value for key, value in config.items() if key not in ("type", "convert_to_iter_based")}
            cls = getattr(peer, config["type"] + "LR")
            if config.get("convert_to_iter_based"):
                schedulers.append(cls.build_iter_from_epoch(optimizer, **kwargs, epoch_length=epoch_length))
            else:
                schedulers.append(cls(optimizer, **kwargs))
        for _ in range(EVENTS):
            rows.append(held(optimizer))
            optimizer.step()
            for scheduler in schedulers:
                scheduler.step()
    return np.array(rows)


def here(configs, rates, epoch_length=None):
    optimizer = optimizer_of(rates)
    config = [{**config, "type": f"mmengine.{config['type']}LR"} for config in configs]
    scheduler = configure_scheduler(optimizer, config if len(config) > 1 else config[0], epoch_length=epoch_length)
    rows = []
    for _ in range(EVENTS):
        scheduler(None)
        rows.append(held(optimizer))
    return np.array(rows)


def agree(configs, rates, **kwargs):
    # Rules upon one another lose digits where one comes close to zero and another takes it up again.
    np.testing.assert_allclose(
        here(configs, rates, **kwargs), in_mmengine(configs, rates, **kwargs), rtol=1e-10, atol=1e-13
    )


@pytest.mark.parametrize("kind", KINDS)
@few
@given(data=st.data(), window=windows, rates=initial)
def test_alone_in_its_window(kind, data, window, rates):
    agree([{"type": kind, **data.draw(KINDS[kind]), **window}], rates)


@pytest.mark.parametrize("kind", KINDS)
@few
@given(data=st.data(), begin=st.integers(0, 3), length=st.integers(1, 8), epoch_length=st.integers(1, 5), rates=initial)
def test_converted_to_iterations(kind, data, begin, length, epoch_length, rates):
    config = {"type": kind, **data.draw(KINDS[kind]), "begin": begin, "end": begin + length}
    agree([{**config, "convert_to_iter_based": True}], rates, epoch_length=epoch_length)


@given(st.lists(entries, min_size=2, max_size=4), initial)
def test_several_at_once(configs, rates):
    agree(configs, rates)
