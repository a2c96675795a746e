"""The pictures of schedulers that combine others, wrap a torch scheduler, or depend on a metric.

Schedulers that are combined share an optimizer. A scheduler that depends on a metric is drawn with the loss, which
falls in three steps and stalls after each.
"""

import torch
from gallery_picture import LOSSES, Picture, scheduler, values_line
from torch.optim import lr_scheduler as of_torch

from lehr.handlers import (
    ChainedScheduler,
    ConcatScheduler,
    CosineAnnealingScheduler,
    CosineDecayScheduler,
    ExponentialScheduler,
    LinearScheduler,
    LRScheduler,
    MetricScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    PhaseScheduler,
    ReduceLROnPlateauScheduler,
    ReduceOnPlateauScheduler,
    create_lr_scheduler_with_warmup,
)
from lehr.handlers.schedules import Anneal, Concatenation, Constant, Cosine, Plateau


def make_optimizer(*names: str) -> torch.optim.Optimizer:
    """An optimizer with a learning rate of 0.1, and param groups of these names."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "name": name} for name in names or ("all",)]
    return torch.optim.SGD(groups, lr=0.1)


optimizer, two_groups = make_optimizer(), make_optimizer("body", "head")

# 1. One after another, and several at once.

rise = LinearScheduler(optimizer, "lr", 30, start_value=0.01, end_value=0.1)
fall = CosineDecayScheduler(optimizer, "lr", 90, start_value=0.1)
rising = LinearScheduler(optimizer, "lr", 30, start_value=0.1, end_value=1.0, relative=True)
falling = ExponentialScheduler(optimizer, "lr", gamma=0.985)
body = OneCycleScheduler(two_groups, "lr", max_value=0.03, total_steps=120, param_group_index="body")
head = CosineDecayScheduler(two_groups, "lr", 120, start_value=0.1, param_group_index="head")


def with_warmup(num_events: int) -> Picture:
    """The picture of a function: it draws the simulated values of the returned scheduler."""
    lines = {
        f"{type(after).__name__}, {duration} events": values_line(
            create_lr_scheduler_with_warmup(after, 0.0, warmup_duration=duration).simulate(num_events)[:, 0].tolist()
        )
        for after, duration in (
            (CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.001, cycle_size=110), 20),
            (of_torch.ExponentialLR(make_optimizer(), gamma=0.98), 40),
        )
    }
    name = "create_lr_scheduler_with_warmup"
    return Picture(name, f"{name}(lr_scheduler, 0.0, warmup_duration=...)", lines)


SEVERAL = [
    scheduler(ConcatScheduler, 160,
              {"durations": [30]}, {"durations": [60]},
              schedulers=[rise, fall], call="ConcatScheduler([rise, fall], durations=...)"),
    with_warmup(120),
    scheduler(ChainedScheduler, 120,
              ("[rising]", {"schedulers": [rising]}), ("[falling]", {"schedulers": [falling]}),
              ("[rising, falling]", {"schedulers": [rising, falling]}),
              call="ChainedScheduler(schedulers)"),
    scheduler(ParamGroupScheduler, 120,
              schedulers=[body, head], names=["lr of the body", "lr of the head"],
              call='ParamGroupScheduler([body, head], names=["lr of the body", "lr of the head"])'),
    scheduler(PhaseScheduler, 130,
              *({"starts": [start]} for start in (30, 60, 90)),
              param_name="lr", phases=[Constant(0.1), Anneal(1.0, 0.0, 50, Cosine())], end=120),
    scheduler(LRScheduler, 120,
              ("CosineAnnealingLR", {"lr_scheduler": of_torch.CosineAnnealingLR(make_optimizer(), T_max=120)}),
              ("ExponentialLR", {"lr_scheduler": of_torch.ExponentialLR(make_optimizer(), gamma=0.97)}),
              ("StepLR", {"lr_scheduler": of_torch.StepLR(make_optimizer(), step_size=40, gamma=0.3)}),
              call="LRScheduler(torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=120))"),
]  # fmt: skip

# 2. Driven by a metric.


def trained(patience: int) -> list[float]:
    """The values of a training in which the scheduler observes the loss and writes."""
    warmed_up = Concatenation([Anneal(0.0, 0.1, 10), Plateau(factor=0.5, patience=patience, initial_value=0.1)], [10])
    written, own = [], make_optimizer()
    scheduler = MetricScheduler(own, "lr", "loss", warmed_up)
    for loss in LOSSES:
        scheduler.observe(loss)
        scheduler(None)
        written.append(own.param_groups[0]["lr"])
    return written


DRIVEN = [
    scheduler(ReduceLROnPlateauScheduler, len(LOSSES),
              {"patience": 10}, {"patience": 4}, {"patience": 4, "cooldown": 10},
              metric_values=LOSSES, initial_value=0.1, factor=0.5,
              call='ReduceLROnPlateauScheduler(optimizer, "loss", factor=0.5, patience=...)',
              look={"losses": LOSSES}),
    scheduler(ReduceOnPlateauScheduler, len(LOSSES),
              {"factor": 0.5, "patience": 5}, {"factor": 0.1, "patience": 10, "min_value": 2e-3},
              param_name="weight_decay", metric_values=LOSSES, initial_value=0.01,
              call='ReduceOnPlateauScheduler(optimizer, "weight_decay", "loss", factor=..., ...)',
              look={"losses": LOSSES}),
    Picture(
        "MetricScheduler",
        'MetricScheduler(optimizer, "lr", "loss", Concatenation([Anneal(0, 0.1, 10), '
        "Plateau(factor=0.5, patience=..., initial_value=0.1)], [10]))",
        {f"patience={patience}": values_line(trained(patience)) for patience in (10, 4)},
        losses=LOSSES,
    ),
]  # fmt: skip

COMPOSED = [*SEVERAL, *DRIVEN]
