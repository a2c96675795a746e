"""Tables of values recorded from the real libraries, for the schedules that there are."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lehr.handlers import CyclicScheduler, OneCycleScheduler, ParamScheduler

TORCH = json.loads((Path(__file__).parent / "golden" / "torch.json").read_text())
CASES = [case for case in TORCH if case["class"] in ("OneCycleLR", "CyclicLR")]


def scheduler_of(case, optimizer) -> ParamScheduler:
    """Our scheduler for torch's class and arguments, for the parameter that the table is of."""
    kwargs = {name: value for name, value in case["kwargs"].items() if name != "cycle_momentum"}
    momenta = {name: kwargs.pop(f"{name}_momentum", None) for name in ("base", "max")}
    rates = {f"{name}_value": kwargs.pop(f"{name}_lr") for name in ("base", "max") if f"{name}_lr" in kwargs}
    cls, default = {"OneCycleLR": (OneCycleScheduler, (0.85, 0.95)), "CyclicLR": (CyclicScheduler, (0.8, 0.9))}[
        case["class"]
    ]
    if "scale_fn" in kwargs:
        assert kwargs["scale_fn"] == "lambda x: 1 / (5 ** (x * 0.01))"
        kwargs["scale_fn"] = lambda x: 1 / (5 ** (x * 0.01))
    if case["param"] == "momentum":
        for name in ("div_factor", "final_div_factor"):
            kwargs.pop(name, None)
        rates = {f"{name}_value": momenta[name] or value for name, value in zip(momenta, default, strict=True)}
        kwargs["inverse"] = True
    return cls(optimizer, case["param"], **rates, **kwargs)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_torch(case):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], **group} for group in case["optimizer"]["groups"]]
    optimizer = getattr(torch.optim, case["optimizer"]["class"])(groups, lr=0.1)
    expected = np.array(case["values"])
    if "total_steps" in case["kwargs"] or "epochs" in case["kwargs"]:
        # The last row is torch's extrapolation past the end, where we hold the value before.
        expected[-1] = expected[-2]
    values = scheduler_of(case, optimizer).simulate(len(expected))
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-17)


def test_there_are_tables():
    assert len(CASES) == 20
