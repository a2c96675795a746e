"""Pictures of what a metric drives: a loss that falls in three steps and stalls after each, drawn in grey."""

from gallery_picture import LOSSES, Picture, arguments_of, make_optimizer, scheduler, values_line

from lehr.handlers import MetricScheduler, ReduceLROnPlateauScheduler, ReduceOnPlateauScheduler
from lehr.handlers.schedules import Anneal, Concatenation, Greedy, Plateau, Reduced


def driven(schedule: Plateau | Greedy | Reduced) -> list[float]:
    """The values under the losses, one after another."""
    values = []
    for event, loss in enumerate(LOSSES):
        schedule.observe(loss)
        values.append(schedule(event))
    return values


def by_loss(call: str, **schedules: Plateau | Greedy | Reduced) -> Picture:
    """A picture of schedules that the losses drive."""
    made = [(type(one), arguments_of(one)) for one in schedules.values()]
    lines = {label.replace("_is_", "="): values_line(driven(one)) for label, one in schedules.items()}
    return Picture(call.split("(")[0], call, lines, losses=LOSSES, made=made)


def trained(patience: int) -> list[float]:
    """What a training would see: it observes the loss, and lets the scheduler write."""
    warmed_up = Concatenation([Anneal(0.0, 0.1, 10), Plateau(factor=0.5, patience=patience, initial_value=0.1)], [10])
    written, own = [], make_optimizer()
    scheduler = MetricScheduler(own, "lr", "loss", warmed_up)
    for loss in LOSSES:
        scheduler.observe(loss)
        scheduler(None)
        written.append(own.param_groups[0]["lr"])
    return written


SCHEDULERS = [
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

SCHEDULES = [
    by_loss("Plateau(factor=0.5, initial_value=0.1, patience=...)",
            patience_is_10=Plateau(factor=0.5, initial_value=0.1, patience=10),
            patience_is_4=Plateau(factor=0.5, initial_value=0.1, patience=4)),
    by_loss("Greedy(0.05, factor=0.8, max_value=0.1, patience=...)",
            patience_is_5=Greedy(0.05, factor=0.8, max_value=0.1, patience=5),
            patience_is_2=Greedy(0.05, factor=0.8, max_value=0.1, patience=2)),
    by_loss("Reduced(Anneal(0.1, 0, 120), Plateau(factor=0.5, patience=...))",
            patience_is_10=Reduced(Anneal(0.1, 0.0, 120), Plateau(factor=0.5, patience=10)),
            patience_is_4=Reduced(Anneal(0.1, 0.0, 120), Plateau(factor=0.5, patience=4))),
]  # fmt: skip
