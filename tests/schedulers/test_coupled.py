"""Schedules of a parameter that are functions of the scheduled value of another parameter."""

import json

import numpy as np
import pytest
import torch
from cases import for_each
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine, Events
from optimizers import make_optimizer, make_trainer, values_of
from torch.utils.data import DataLoader, TensorDataset

from lehr.handlers import (
    BatchSizeScheduler,
    CosineAnnealingScheduler,
    Groups,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ReduceOnPlateauScheduler,
    ResumeWarning,
    StateParamScheduler,
)
from lehr.handlers.schedules import Anneal, Mapped, Plateau


@given(groups=st.sampled_from([1, 3]), c=st.floats(1e-3, 10), steps=st.integers(2, 60))
def test_weight_decay_follows_the_learning_rate(groups, c, steps):
    optimizer, trainer = make_optimizer(groups), make_trainer()
    peaks = [0.1 * (1 + group) for group in range(groups)] if groups > 1 else 0.1
    lr = OneCycleScheduler(optimizer, "lr", peaks, total_steps=steps)
    decay = ParamScheduler(optimizer, "weight_decay", schedule=Mapped(lr.schedule, lambda lr: c * lr))
    both = ParamGroupScheduler([lr, decay], save_history=True)
    both.attach(trainer)
    ratios = []
    trainer.add_event_handler(
        Events.ITERATION_STARTED,
        lambda: ratios.append([group["weight_decay"] == c * group["lr"] for group in optimizer.param_groups]),
    )
    trainer.run([0] * steps)
    assert np.all(ratios)
    assert len(ratios) == steps
    history = trainer.state.param_history
    assert (history.to_numpy("weight_decay") == c * history.to_numpy("lr")).all()


def test_lr_times_batch_size_is_constant_in_the_training_itself():
    """Before the first batch of each epoch, the batch size goes up and the learning rate goes down."""
    optimizer, data = make_optimizer(lr=0.8), TensorDataset(torch.zeros(256))
    loader = DataLoader(data, batch_size=4)
    lr = ParamScheduler(optimizer, "lr", schedule=lambda epoch: 0.8 * 0.5**epoch)
    sizes = BatchSizeScheduler(loader, Mapped(lr.schedule, lambda lr: 3.2 / lr))
    products = []
    trainer = Engine(lambda engine, batch: products.append(len(batch[0]) * optimizer.param_groups[0]["lr"]))
    coupled = ParamGroupScheduler([lr, sizes], save_history=True)
    coupled.attach(trainer, Events.EPOCH_STARTED)
    trainer.run(loader, max_epochs=4, epoch_length=8)
    assert products == [3.2] * 32
    assert loader.batch_sampler.batch_size == 32
    assert trainer.state.param_history == {
        "lr": [[0.8], [0.4], [0.2], [0.1]],
        "batch_size": [[4.0], [8.0], [16.0], [32.0]],
    }


def test_it_follows_a_plateau_in_the_same_event():
    optimizer, trainer = make_optimizer(lr=1.0), make_trainer()
    plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0, initial_value=1.0)
    decay = ParamScheduler(optimizer, "weight_decay", schedule=Mapped(plateau.schedule, lambda lr: 0.1 * lr))
    trainer.add_event_handler(Events.ITERATION_STARTED, lambda: trainer.state.metrics.update(loss=1.0))
    trainer.add_event_handler(Events.ITERATION_STARTED, plateau.observe)
    coupled = ParamGroupScheduler([plateau, decay], save_history=True)
    coupled.attach(trainer)
    trainer.run([0] * 4)
    history = trainer.state.param_history
    assert history["lr"] == [[1.0], [0.5], [0.25], [0.125]]
    assert history["weight_decay"] == [[0.1 * lr] for (lr,) in history["lr"]]

    resumed = ReduceOnPlateauScheduler(make_optimizer(lr=1.0), "lr", "loss", factor=0.5, patience=0, initial_value=1.0)
    again = ParamGroupScheduler(
        [
            resumed,
            ParamScheduler(resumed.optimizer, "weight_decay", schedule=Mapped(resumed.schedule, lambda lr: 0.1 * lr)),
        ]
    )
    again.load_state_dict(json.loads(json.dumps(coupled.state_dict())))
    assert again.event_index == 4
    assert resumed.schedule.state_dict() == plateau.schedule.state_dict()


def test_a_chain_of_followers():
    optimizer, trainer = make_optimizer(kind=torch.optim.AdamW), make_trainer()
    lr = CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.01, 20)
    momentum = ParamScheduler(optimizer, "momentum", schedule=Mapped(lr.schedule, lambda lr: 1.0 - lr))
    decay = ParamScheduler(
        optimizer, "weight_decay", schedule=Mapped(momentum.schedule, lambda beta: (1.0 - beta) / 10)
    )
    dropout = StateParamScheduler("dropout", create_new=True, schedule=Mapped(decay.schedule, lambda decay: 50 * decay))
    coupled = ParamGroupScheduler([lr, momentum, decay, dropout], save_history=True)
    coupled.attach(trainer)
    trainer.run([0] * 5)
    ((rate,), (beta,)) = values_of(optimizer), values_of(optimizer, "betas[0]")
    assert beta == 1.0 - rate
    assert optimizer.param_groups[0]["weight_decay"] == (1.0 - beta) / 10
    assert trainer.state.dropout == 50 * optimizer.param_groups[0]["weight_decay"]
    assert set(trainer.state.param_history) == {"lr", "momentum", "weight_decay", "dropout"}
    table = coupled.simulate(5)
    assert table.shape == (5, 4)
    assert table[4].tolist() == [rate, beta, optimizer.param_groups[0]["weight_decay"], trainer.state.dropout]


def test_a_function_whose_value_others_follow_is_called_once_per_event():
    optimizer, trainer = make_optimizer(), make_trainer()
    asked = []
    lr = ParamScheduler(optimizer, "lr", schedule=lambda event: asked.append(event) or 0.1 * len(asked))
    decay = ParamScheduler(optimizer, "weight_decay", schedule=Mapped(lr.schedule, lambda lr: 2 * lr))
    both = ParamGroupScheduler([lr, decay], save_history=True)
    both.attach(trainer)
    trainer.run([0] * 5)
    assert asked == [0, 1, 2, 3, 4]
    history = trainer.state.param_history
    assert (history.to_numpy("weight_decay") == 2 * history.to_numpy("lr")).all()
    table = both.simulate(3)
    assert (table[:, 1] == 2 * table[:, 0]).all()


def coupled_to_epochs(groups=2):
    optimizer, loader = make_optimizer(groups, lr=0.4), DataLoader(TensorDataset(torch.zeros(64)), batch_size=4)
    lr = ParamScheduler(optimizer, "lr", param_group_index=Groups(added="ignore"), schedule=Anneal(0.4, 0.1, 12))
    sizes = BatchSizeScheduler(loader, Mapped(lr.schedule, lambda lr: 1.6 / lr))
    dropout = StateParamScheduler("dropout", create_new=True, schedule=Mapped(lr.schedule, lambda lr: lr / 2))
    return optimizer, loader, ParamGroupScheduler([lr, sizes, dropout], save_history=True)


@for_each("stop", range(1, 24))
def test_values_that_no_checkpoint_saves_are_written_again_after_a_resume(stop):
    def make():
        optimizer, loader, scheduler = coupled_to_epochs()
        seen = []
        sampler = loader.batch_sampler
        trainer = Engine(
            lambda engine, batch: seen.append(
                (sampler.batch_size, engine.state.dropout, optimizer.param_groups[0]["lr"])
            )
        )
        scheduler.attach(trainer, Events.EPOCH_STARTED(every=2))
        return trainer, optimizer, loader, scheduler, seen

    unbroken, _, loader, _, expected = make()
    unbroken.run(loader, max_epochs=6, epoch_length=4)
    trainer, optimizer, loader, scheduler, seen = make()
    saved = []
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED(once=stop),
        lambda: saved.extend([len(seen), trainer.state_dict(), optimizer.state_dict(), scheduler.state_dict()]),
    )
    trainer.run(loader, max_epochs=6, epoch_length=4)
    before = seen[: saved[0]]
    resumed, optimizer, loader, again, rest = make()
    for thing, state in zip((resumed, optimizer, again), json.loads(json.dumps(saved[1:])), strict=True):
        thing.load_state_dict(state)
    resumed.run(loader)
    assert before + rest == expected


def test_ignored_groups_stay_ignored_after_a_resume():
    optimizer, _, scheduler = coupled_to_epochs(1)
    trainer = make_trainer()
    scheduler(trainer)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 7.0})
    scheduler(trainer)
    other, _, resumed = coupled_to_epochs(2)
    other.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    resumed(trainer)
    assert values_of(other) == [Anneal(0.4, 0.1, 12)(2), 7.0]


def test_after_a_resume_with_another_schedule_simulated_batch_sizes_are_the_written_ones():
    def make(steps):
        optimizer, loader = make_optimizer(), DataLoader(torch.zeros(64), batch_size=4)
        lr = ParamScheduler(optimizer, "lr", schedule=Anneal(0.4, 0.1, steps))
        sizes = BatchSizeScheduler(loader, Mapped(lr.schedule, lambda lr: 6.4 / lr))
        return loader, ParamGroupScheduler([lr, sizes], save_history=True)

    _, before = make(20)
    for _ in range(7):
        before(None)
    loader, after = make(30)
    with pytest.warns(ResumeWarning):
        after.load_state_dict(before.state_dict(), resume_policy="keep_value")
    present = before.state_dict()["value"]
    assert after.state_dict()["value"] == present
    table = after.simulate(30, start=7)
    assert table[0].tolist() == present
    for row in table:
        after(None)
        assert [after.optimizer[0].param_groups[0]["lr"], float(loader.batch_sampler.batch_size)] == row.tolist()


def test_the_given_schedulers_do_not_change():
    optimizer, loader = make_optimizer(lr=0.5), DataLoader(torch.zeros(4), batch_size=2)
    lr = CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.01, 20)
    sizes = BatchSizeScheduler(loader, Mapped(lr.schedule, lambda lr: 1 / lr), save_history=True)
    coupled = ParamGroupScheduler([lr, sizes])
    coupled.simulate(10)
    assert (values_of(optimizer), loader.batch_sampler.batch_size) == ([0.5], 2)
    coupled(None)
    assert (lr.event_index, sizes.event_index, sizes.save_history) == (0, 0, True)
    assert (values_of(optimizer), loader.batch_sampler.batch_size) == ([0.1], 10)


@pytest.mark.parametrize(
    ("schedule", "function", "error", "match"),
    [
        (3, abs, TypeError, "schedule must be a Schedule, given 3"),
        (Anneal(1.0, 0.0, 4), 3, TypeError, "function must be a function of a value, given 3"),
        (Anneal(1.0, 0.0, 4), float, TypeError, "function must be a function of a value"),
    ],
)
def test_wrong_arguments_are_refused_by_name(schedule, function, error, match):
    with pytest.raises(error, match=match):
        Mapped(schedule, function)


@for_each("leader", [Anneal(0.5, 0.0, 2), Plateau(initial_value=0.0)], ids=repr)
@for_each("value", [float("nan"), float("inf"), "0.1", None, True])
def test_a_function_that_returns_no_number_is_an_error_and_nothing_is_written(leader, value):
    def function(lr):
        return value

    optimizer = make_optimizer()
    scheduler = ParamScheduler(optimizer, "weight_decay", schedule=Mapped(leader, function))
    before = optimizer.param_groups[0]["weight_decay"]
    with pytest.raises((TypeError, ValueError), match=r"function\(.*\) is not a finite number: .*given"):
        scheduler(None)
    assert optimizer.param_groups[0]["weight_decay"] == before
    assert scheduler.event_index == 0
