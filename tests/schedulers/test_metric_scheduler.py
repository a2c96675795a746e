"""MetricScheduler: an event that fails leaves the schedule as it was."""

import json
from dataclasses import dataclass, field

import pytest
from cases import for_each
from optimizers import make_optimizer, make_trainer

from lehr.handlers import MetricScheduler
from lehr.handlers.schedules import Constant, Greedy, Phases, Plateau, Product, Reduced, StatefulSchedule


@dataclass(frozen=True, repr=False)
class Counting(Plateau):
    """A user's plateau with a state of its own."""

    counts: dict[str, int] = field(default_factory=lambda: {"metrics": 0}, compare=False)

    def observe(self, metric):
        self.counts["metrics"] += 1
        super().observe(metric)

    def state_dict(self):
        return {**super().state_dict(), **self.counts}

    def load_state_dict(self, state_dict):
        super().load_state_dict({key: value for key, value in state_dict.items() if key not in self.counts})
        self.counts.update(metrics=state_dict["metrics"])


RULE = {"factor": 0.5, "patience": 0}


@for_each(
    "schedule",
    [
        lambda: Plateau(**RULE, initial_value=0.5),
        lambda: Plateau(**RULE, initial_value=[0.5, 0.25]),
        lambda: Greedy([0.5, 0.25], **RULE, smooth=True, window_size=2),
        lambda: Counting(**RULE, initial_value=0.5),
        lambda: Reduced(Constant(0.5), Plateau(**RULE)),
        lambda: Phases([Constant(0.5), Constant(0.25)], flat=Plateau(patience=0)),
        lambda: Product([Plateau(**RULE), Greedy(0.5, **RULE)]),
    ],
)
def test_a_failed_event_leaves_the_state_of_each_schedule_as_it_was(schedule):
    optimizer, engine = make_optimizer(2), make_trainer()
    scheduler = MetricScheduler(optimizer, "lr", "loss", schedule())
    groups, states = optimizer.param_groups, []
    for metric in (3.0, 2.0, 2.5, 2.5, 1.0, 4.0):
        engine.state.metrics = {"loss": metric}
        before = json.dumps(scheduler.state_dict())
        optimizer.param_groups = [{"params": []}, {"params": []}]
        with pytest.raises(ValueError, match="every param group must have 'lr'"):
            scheduler(engine)
        optimizer.param_groups = groups
        assert without_event(scheduler.state_dict()) == without_event(json.loads(before))
        scheduler(engine)
        states.append(json.dumps(scheduler.state_dict()["progress"]))
    assert len(set(states)) == 6


def without_event(state):
    """The state without the event that was read last, which a failed event does read."""
    return [{key: value for key, value in one.items() if key != "event_index"} for one in state["progress"]]


class HalvedByMetrics(StatefulSchedule):
    """A user's schedule, which each metric halves."""

    is_metric_driven = True

    def __init__(self):
        self.count = 0

    def value(self, index):
        return 0.5**self.count

    def observe(self, metric):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state_dict):
        self.count = state_dict["count"]


def test_a_users_schedule_that_depends_on_metrics_is_accepted():
    optimizer, trainer = make_optimizer(), make_trainer()
    scheduler = MetricScheduler(optimizer, "lr", "loss", HalvedByMetrics())
    trainer.state.metrics["loss"] = 1.0
    for _ in range(3):
        scheduler(trainer)
    assert optimizer.param_groups[0]["lr"] == 0.125
    other = MetricScheduler(make_optimizer(), "lr", "loss", HalvedByMetrics())
    other.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    assert other.schedule.count == 3
