"""States that earlier versions saved: an unchanged schedule goes on from each, without a warning, with the same values.

``golden/states_0.1.json`` holds the state of every example after 7 events, and the values of the next 5 events, as the
version before states had a ``version`` gave them. ``golden/older_states.json`` is of a still older one.
"""

import json
import warnings
from pathlib import Path

import pytest
import torch
from cases import for_each
from relay import ALL
from torch_schedulers import WITHOUT_TENSORS

from lehr.handlers import LinearScheduler, ResumeWarning, configure_scheduler

GOLDEN = Path(__file__).parent.parent / "golden"
STATES = json.loads((GOLDEN / "states_0.1.json").read_text())
# torch 2.4 overwrites initial learning rates that are tensors, and begins a nested SequentialLR at its second step.
OF_LATER_TORCH = ["configured: torch in torch", *[f"{kind}, 3 groups, tensor" for kind in WITHOUT_TENSORS]]
RECORDED = {name: one for name, one in STATES.items() if not WITHOUT_TENSORS or name not in OF_LATER_TORCH}
OF_EXAMPLES = [name for name in RECORDED if name in ALL]


def half(progress):
    return 1 - progress / 2


def sgd():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)


OTHERS = {
    "handed over": lambda: LinearScheduler(sgd(), "lr", 40, start_value=0.1, end_value=0.0),
    "shifted": lambda: LinearScheduler(sgd(), "lr", 20, start_value=0.1, end_value=0.0),
    "a decay function": lambda: configure_scheduler(
        sgd(), {"type": "timm.WSDLRScheduler", "t_initial": 100, "decay_t": 80, "decay_fn": half}
    ),
}


def test_most_examples_have_a_recorded_state():
    assert len(OF_EXAMPLES) >= 180
    assert set(RECORDED) == set(OF_EXAMPLES) | set(OTHERS)


@pytest.mark.parametrize("policy", ["keep_step", "keep_value"])
def test_an_unchanged_schedule_goes_on_from_a_recorded_state(policy):
    failures = {}
    for name in OF_EXAMPLES:
        rig, recorded = ALL[name](), RECORDED[name]
        rig.engine.logger.disabled = True
        with warnings.catch_warnings():
            warnings.simplefilter("error", ResumeWarning)
            try:
                rig.scheduler.load_state_dict(recorded["state"], policy)
            except ResumeWarning as warning:
                failures[name] = warning
                continue
        rows = rig.fire(len(recorded["values"]))
        if rows != [pytest.approx(row, rel=1e-12) for row in recorded["values"]]:
            failures[name] = rows
    assert failures == {}


@for_each("policy", ["keep_step", "keep_value", "keep_fraction"])
@for_each("name", OTHERS)
def test_an_adjusted_or_described_schedule_goes_on_from_a_recorded_state(name, policy):
    scheduler, recorded = OTHERS[name](), RECORDED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResumeWarning)
        scheduler.load_state_dict(recorded["state"], policy)
    values = []
    for _ in recorded["values"]:
        scheduler(None)
        values.append(scheduler.optimizer.param_groups[0]["lr"])
    assert values == recorded["values"]


def test_a_changed_number_is_told_from_a_recorded_state():
    scheduler = LinearScheduler(sgd(), "lr", 40, start_value=0.1, end_value=0.01)
    with pytest.warns(ResumeWarning, match="end_value=0.01"):
        scheduler.load_state_dict(RECORDED["handed over"]["state"])


def test_a_state_of_a_later_version_is_refused():
    scheduler = OTHERS["shifted"]()
    state = {**scheduler.state_dict(), "version": 99}
    with pytest.raises(ValueError, match=r"\['version'\] must be a whole number from 0 to 1, given 99"):
        scheduler.load_state_dict(state)
