"""The same with torch's own backend, which writes C++: guards, which tell what is compiled again, are those of any."""

import os
import shutil

import pytest
import torch
from compiling import EVENTS, TOLERANCE, WARM_UP, held, largest_difference, params_of_a_group, train, with_tensor
from torch.optim import SGD, Adam, AdamW

from lehr.handlers import OneCycleScheduler, ParamScheduler
from lehr.handlers.schedules import Anneal

TOTAL = WARM_UP + EVENTS
FALL = Anneal(0.1, 0.01, TOTAL)
COMPILERS = [os.environ.get("CXX"), "g++", "clang++", "c++"]
pytestmark = [
    pytest.mark.filterwarnings("ignore:.* the engine begins a run at iteration 0"),
    pytest.mark.filterwarnings("ignore:.* must be .*, but .* writes"),
    pytest.mark.usefixtures("fresh_compiler"),
    pytest.mark.proof,
    pytest.mark.skipif(
        not any(map(shutil.which, filter(None, COMPILERS))),
        reason="torch's own backend needs a C++ compiler, and there is none",
    ),
]


@pytest.fixture(autouse=True)
def kernels(tmp_path, monkeypatch):
    """Where the backend writes what it gives to the C++ compiler, and finds nothing that it has compiled before."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    return lambda: list(tmp_path.rglob("*.cpp"))


@pytest.mark.parametrize(
    ("kind", "arguments", "name"),
    [
        (SGD, {"lr": 0.1, "momentum": 0.9}, "lr"),
        (AdamW, {"lr": 0.1}, "lr"),
        (AdamW, {"lr": 0.1}, "betas[0]"),
        (Adam, {"lr": 0.1}, "betas[1]"),
    ],
)
def test_the_default_backend_does_not_compile_again_either(kind, arguments, name, kernels):
    start = float(held(with_tensor(kind, arguments, name).param_groups[0], name))
    schedule = Anneal(start, start / 2, TOTAL)

    def trained(compiled, scheduled=True):
        optimizer = with_tensor(kind, arguments, name)
        tensor = held(optimizer.param_groups[0], name)

        def check(index):
            assert held(optimizer.param_groups[0], name) is tensor
            assert tensor.item() == (schedule(index) if scheduled else start)

        step = torch.compile(lambda: optimizer.step()) if compiled else None
        schedulers = [ParamScheduler(optimizer, name, schedule=schedule)] if scheduled else []
        return train(optimizer, schedulers, step, check)

    uncompiled = trained(compiled=False)
    assert largest_difference(trained(compiled=True), uncompiled) <= TOLERANCE
    assert kernels()
    assert largest_difference(uncompiled, trained(compiled=False, scheduled=False)) > 1e-3


@pytest.mark.parametrize("groups", [1, 3])
def test_the_default_backend_takes_several_groups_and_schedulers(groups, kernels):
    def trained(compiled):
        lr, betas = torch.tensor(0.1), (torch.tensor(0.9), torch.tensor(0.99))
        params = [{"params": params_of_a_group()} for _ in range(groups)]
        optimizer = AdamW(params, lr=lr, betas=betas)
        schedulers = [
            ParamScheduler(optimizer, "lr", schedule=FALL),
            OneCycleScheduler(optimizer, "momentum", max_value=0.95, base_value=0.85, inverse=True, total_steps=TOTAL),
            ParamScheduler(optimizer, "betas[1]", schedule=lambda index: 0.99 + 0.001 * FALL(index)),
        ]
        return train(optimizer, schedulers, torch.compile(optimizer.step) if compiled else None)

    assert largest_difference(trained(compiled=True), trained(compiled=False)) <= TOLERANCE
    assert kernels()
