"""The cost of one event of the schedulers that wrap, group, or write elsewhere, side by side with ignite.

ignite's wrapper leaves out torch's ``step()``, and is wrong for it; so torch's is told too.
"""

import pytest
from contenders import event_of, in_torch, optimizer_of, stepping
from ignite import handlers as ignite
from ignite.engine import Engine
from interleaving import Contender
from torch.utils.data import DataLoader

import lehr.handlers as lehr

BOTH = {"lehr": lehr, "ignite": ignite}


@pytest.mark.parametrize("groups", [1, 3, 200])
def test_a_wrapped_torch_scheduler(side_by_side, groups):
    def in_torchs_hands():
        return stepping(lambda optimizer: in_torch.CosineAnnealingLR(optimizer, 1_000_000), optimizer_of(groups))

    contenders = {name: Contender(library.LRScheduler(in_torchs_hands()), (None,)) for name, library in BOTH.items()}
    contenders["torch"] = Contender(in_torchs_hands().step)
    side_by_side(f"a wrapped torch scheduler, {groups} group{'s' * (groups > 1)}", contenders)


def test_a_group_scheduler(side_by_side):
    contenders = {}
    for name, library in BOTH.items():
        optimizer = optimizer_of(2)
        members = [
            library.CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.01, 1000, param_group_index=at) for at in (0, 1)
        ]
        contenders[name] = event_of(name, library.ParamGroupScheduler(members))
    side_by_side("a group scheduler, 2 groups", contenders)


STATES = {
    "ExpStateScheduler": {"initial_value": 1.0, "gamma": 0.9999},
    "StepStateScheduler": {"initial_value": 1.0, "gamma": 0.9999, "step_size": 10},
    "LambdaStateScheduler": {"lambda_obj": lambda event: 0.1 * event},
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_scheduler(side_by_side, name):
    schedulers = {key: getattr(library, name)(param_name="rate", **STATES[name]) for key, library in BOTH.items()}
    engine = Engine(lambda engine, batch: None)
    side_by_side(name, {key: event_of(key, scheduler, engine) for key, scheduler in schedulers.items()})


def test_a_plateau(side_by_side):
    engine = Engine(lambda engine, batch: None)
    engine.state.metrics = {"loss": 1.0}
    schedulers = {key: library.ReduceLROnPlateauScheduler(optimizer_of(2), "loss") for key, library in BOTH.items()}
    side_by_side("a plateau, 2 groups", {key: Contender(one, (engine,)) for key, one in schedulers.items()})


def test_a_batch_size(side_by_side):
    loaders = {key: DataLoader([0] * 9, batch_size=2) for key in BOTH}
    schedulers = {key: library.BatchSizeScheduler(loaders[key], lambda epoch: 4) for key, library in BOTH.items()}
    side_by_side("a batch size", {key: Contender(one, (None,)) for key, one in schedulers.items()})
