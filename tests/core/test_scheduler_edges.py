"""Cases at the edges of the core: what users' objects hold, seeking back, groups that come, attributes that are set."""

import numpy as np
import pytest
import torch
from optimizers import make_optimizer, make_trainer, values_of
from torch.utils.data import DataLoader

from lehr.handlers import (
    BatchSizeScheduler,
    Groups,
    LambdaScheduler,
    MetricScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    ReduceOnPlateauScheduler,
    Schedule,
    StateParamScheduler,
)
from lehr.handlers.core.for_plans_and_cli import existing_schedulers
from lehr.handlers.schedules import Anneal, Constant, Plateau, SideBySide

LINE = Anneal(1.0, 0.0, 10)


def add_group(optimizer):
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.3})


class Gain:
    """A user's function that holds the trainer, and changes as it goes."""

    def __init__(self, trainer):
        self.trainer, self.calls, self.cache = trainer, 0, list(range(100_000))

    def __call__(self, event_index):
        self.calls += 1
        return 0.1 / (1 + self.trainer.state.epoch)


@pytest.mark.parametrize(
    "make", [lambda o, f: ParamScheduler(o, "lr", schedule=f), lambda o, f: LambdaScheduler(o, "lr", f)]
)
def test_an_object_that_holds_the_trainer_is_described_by_its_class(make, recwarn):
    trainer = make_trainer()
    scheduler = make(make_optimizer(), Gain(trainer))
    scheduler.attach(trainer)
    trainer.run([0] * 3, max_epochs=2)
    state = scheduler.state_dict()
    assert len(str(state)) < 1000
    make(make_optimizer(), Gain(make_trainer())).load_state_dict(state)
    assert not recwarn.list


def test_a_value_that_cannot_be_written_is_refused_after_seeking_back_too():
    class FromFour(Schedule):
        def values(self, indices):
            return np.where(indices < 4, np.nan, indices)

    optimizer = make_optimizer()
    scheduler = ParamScheduler(optimizer, "lr", schedule=FromFour())
    scheduler.seek(5)
    scheduler(None)
    scheduler.seek(3)
    with pytest.raises(ValueError, match="gave nan for event 3"):
        scheduler(None)
    assert values_of(optimizer) == [5.0]


@pytest.mark.parametrize("added", ["ignore", "refuse"])
def test_the_groups_that_a_state_knows_count_in_a_scheduler_that_runs_already(added):
    optimizer = make_optimizer(2)
    scheduler = ParamGroupScheduler(
        [ParamScheduler(optimizer, "lr", param_group_index=Groups(added=added), schedule=LINE)]
    )
    scheduler(None)
    scheduler(None)
    scheduler.load_state_dict({**scheduler.state_dict(), "param_groups": [1]})
    if added == "refuse":
        with pytest.raises(ValueError, match="must not receive more param groups"):
            scheduler(None)
    else:
        scheduler(None)
        assert values_of(optimizer) == [0.8, 0.9]


def test_an_adopted_group_is_in_the_history_of_several():
    optimizer, trainer = make_optimizer(2), make_trainer()
    member = ParamScheduler(
        optimizer, "lr", param_group_index=Groups(added="adopt"), schedule=SideBySide([LINE, Constant(0.5)])
    )
    scheduler = ParamGroupScheduler([member], save_history=True)
    scheduler(trainer)
    add_group(optimizer)
    scheduler(trainer)
    assert trainer.state.param_history["lr"] == [[1.0, 0.5], [0.9, 0.5, 0.5]]


def test_attributes_that_are_set_have_an_effect():
    first, second = (DataLoader(range(8), batch_size=2) for _ in range(2))
    trainer = make_trainer()
    scheduler = BatchSizeScheduler(first, lambda event: 3 + event)
    scheduler.dataloader = second
    scheduler(None)
    assert (first.batch_sampler.batch_size, second.batch_sampler.batch_size) == (2, 3)
    state = StateParamScheduler("x", create_new=True, schedule=LINE)
    state.param_name = "y"
    state(trainer)
    assert trainer.state.y == 1.0
    metric = MetricScheduler(make_optimizer(), "lr", "loss", Plateau(initial_value=0.1))
    phases = PhaseScheduler(make_optimizer(), "lr", [Constant(0.5), LINE], flat=Plateau())
    trainer.state.metrics = {"accuracy": 1.0}
    for one in (metric, phases):
        one.metric_name = "accuracy"
        one.reduction = "none"
    metric(trainer)
    phases.observe(trainer)


def test_a_metric_that_was_not_read_yet_survives_a_repeated_event():
    trainer = make_trainer()
    trainer.state.metrics = {}
    scheduler = ReduceOnPlateauScheduler(make_optimizer(), "lr", "loss")
    state = {**scheduler.state_dict(), "metric": [1.0]}
    scheduler.load_state_dict(state)
    scheduler._repeats = 1
    scheduler(trainer)
    assert scheduler.state_dict()["metric"] == [1.0]


def test_a_scheduler_whose_arguments_were_refused_does_not_exist():
    with pytest.raises(ValueError, match="must have values for 2 param groups") as refused:
        ParamScheduler(make_optimizer(2), "lr", schedule=Constant([1.0, 2.0, 3.0]))
    made = {id(one) for one in existing_schedulers()}
    frames = refused.tb
    while frames is not None:
        assert id(frames.tb_frame.f_locals.get("self")) not in made
        frames = frames.tb_next
