"""An event that is interrupted at any place, and then repeated, has the effect of one event."""

from itertools import count

import pytest
import torch
from interrupts import Interrupted
from optimizers import make_optimizer, make_trainer, values_of

from lehr.handlers import (
    CosineAnnealingScheduler,
    Groups,
    MetricScheduler,
    MultiplicativeScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    ReduceOnPlateauScheduler,
)
from lehr.handlers.schedules import Anneal, Plateau, Product

OWN, LOSSES, AT = Groups(added="own"), [1.0, 0.9, 0.95, 0.99, 0.7, 0.8, 0.9, 1.0], 4


class Own(ParamScheduler):
    def get_param(self):
        return 0.5 + 0.01 * self.event_index


def rising(event):
    return 0.5 + 0.01 * event


def cosine(optimizer, name, **more):
    return CosineAnnealingScheduler(optimizer, name, 0.9, 0.1, 9, **more)


KINDS = {
    "schedule": lambda optimizer: cosine(optimizer, "lr", param_group_index=OWN, save_history=True),
    "relative": lambda optimizer: cosine(optimizer, "lr", relative=True),
    "function": lambda optimizer: ParamScheduler(
        optimizer, "lr", schedule=rising, param_group_index=OWN, save_history=True
    ),
    "get_param": lambda optimizer: Own(optimizer, "lr", save_history=True),
    "product of a function": lambda optimizer: MultiplicativeScheduler(optimizer, "lr", rising, save_history=True),
    "phases": lambda optimizer: PhaseScheduler(optimizer, "lr", [Anneal(1.0, 0.5, duration=9), Anneal(1.0, 0.1, 9)]),
    "plateau": lambda optimizer: ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0),
    "metric": lambda optimizer: MetricScheduler(
        optimizer, "lr", "loss", Product([Anneal(1.0, 0.5, duration=9), Plateau(factor=0.5, patience=0)])
    ),
    "several": lambda optimizer: ParamGroupScheduler(
        [cosine(optimizer, "lr", param_group_index=OWN), cosine(optimizer, "momentum", relative=True)],
        save_history=True,
    ),
    "several with a function": lambda optimizer: ParamGroupScheduler(
        [
            ParamScheduler(optimizer, "lr", schedule=rising, param_group_index=OWN),
            cosine(optimizer, "momentum", relative=True),
        ]
    ),
}


def run(kind, change, place=None):
    """Return all values, the state and the history of a run; None if the event has fewer places than ``place``."""
    optimizer, trainer = make_optimizer(2), make_trainer()
    scheduler, values = KINDS[kind](optimizer), []
    for event, loss in enumerate(LOSSES):
        trainer.state.metrics = {"loss": loss}
        if event == AT and change == "a group joins":
            optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.7})
        if event == AT and change == "the next phase begins":
            scheduler.next_phase()
        if event == AT and place is not None:
            with Interrupted(place) as interrupted:
                scheduler(trainer)
            if not interrupted.happened:
                return None
        if scheduler.event_index == event:
            scheduler(trainer)
        values.append([values_of(optimizer), values_of(optimizer, "momentum")])
    history = getattr(trainer.state, "param_history", {})
    return values, scheduler.state_dict(), {name: list(column) for name, column in history.items()}


@pytest.mark.parametrize("distance", [41, pytest.param(1, marks=pytest.mark.proof)])
@pytest.mark.parametrize(
    ("kind", "change"),
    [(kind, change) for kind in KINDS for change in ("none", "a group joins")] + [("phases", "the next phase begins")],
)
def test_an_interrupted_event_that_is_repeated_has_the_effect_of_one_event(kind, change, distance):
    expected = run(kind, change)
    for place in count(1, 1 if change == "none" else distance):
        interrupted = run(kind, change, place)
        if interrupted is None:
            break
        assert interrupted == expected, f"interrupted at place {place}"
    assert place > 5
