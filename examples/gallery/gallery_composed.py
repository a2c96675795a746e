"""Pictures of schedulers that are made of others, or that wrap one of torch.

The schedulers write the same parameter, and so they share an optimizer.
"""

from gallery_picture import Picture, make_optimizer, scheduler, values_line
from torch.optim import lr_scheduler as of_torch

from lehr.handlers import (
    ChainedScheduler,
    ConcatScheduler,
    CosineAnnealingScheduler,
    CosineDecayScheduler,
    ExponentialScheduler,
    LinearScheduler,
    LRScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    PhaseScheduler,
    create_lr_scheduler_with_warmup,
)
from lehr.handlers.schedules import Anneal, Constant, Cosine

optimizer, two_groups = make_optimizer(), make_optimizer("body", "head")

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


SCHEDULERS = [
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
