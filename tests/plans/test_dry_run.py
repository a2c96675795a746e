"""``dry_run`` plans the exact values of a real run: group keys, list items, tensors, the state and batch sizes."""

import numpy as np
import pytest
import torch
from cases import for_each
from ignite.engine import Events
from optimizers import make_optimizer, values_of
from real_runs import COUNTING, WAYS, assert_as_planned, attach
from rigs import METRICS, RIGS
from torch.utils.data import DataLoader
from torch_schedulers import TORCH

from lehr.handlers import (
    BatchSizeScheduler,
    ConcatScheduler,
    CosineDecayScheduler,
    Groups,
    LinearScheduler,
    LRScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ReduceOnPlateauScheduler,
    StateParamScheduler,
    StepScheduler,
    check_plan,
    dry_run,
)
from lehr.handlers.schedules import Anneal, LinearInterpolation


def test_a_selection_of_groups_and_another_parameter():
    def make(training):
        optimizer = training.optimizer(4, torch.optim.Adam)
        for name, group in zip("abba", optimizer.param_groups, strict=True):
            group["name"] = name
        CosineDecayScheduler(optimizer, "lr", 9, param_group_index="b").attach(training.trainer, name="b's")
        ParamScheduler(optimizer, "lr", param_group_index=-1, schedule=COUNTING).attach(training.trainer)
        LinearScheduler(optimizer, "betas[0]", 7, start_value=0.8, end_value=0.9).attach(training.trainer)
        ParamScheduler(optimizer, "weight_decay", param_group_index=lambda g: g["name"] == "a", schedule=abs).attach(
            training.trainer, Events.EPOCH_STARTED
        )
        training.reads |= {
            "b's": lambda: values_of(optimizer)[1:3],
            "lr": lambda: values_of(optimizer)[3:],
            "betas[0]": lambda: values_of(optimizer, "betas[0]"),
            "weight_decay": lambda: values_of(optimizer, "weight_decay")[::3],
        }

    plan = assert_as_planned(make, 3, 5)
    assert plan.columns["b's"].labels == ("b", "b")
    assert plan.columns["betas[0]"].labels == ("a", "b", "b", "a")


# `COUNTING` is computed for all events at once, `abs` for one event at a time.
@pytest.mark.parametrize("schedule", [COUNTING, abs])
def test_a_scheduler_whose_groups_are_to_come_is_unforeseen_and_the_others_are_planned(schedule):
    to_come, trainers = Groups("body", required=False), []

    def make(training):
        optimizer = training.optimizer()
        ParamScheduler(optimizer, "lr", param_group_index=to_come, schedule=schedule).attach(training.trainer)
        ParamScheduler(optimizer, "weight_decay", schedule=schedule).attach(training.trainer)
        parts = [
            ParamScheduler(optimizer, "momentum", schedule=schedule),
            ParamScheduler(optimizer, "dampening", param_group_index=to_come, schedule=schedule),
        ]
        ParamGroupScheduler(parts).attach(training.trainer)
        training.reads["weight_decay"] = lambda: values_of(optimizer, "weight_decay")
        training.reads["momentum"] = lambda: values_of(optimizer, "momentum")
        trainers.append(training.trainer)

    plan = assert_as_planned(make, 2, 3)
    assert [text.split(" at event")[0] for text in plan.unforeseen] == [
        "<ParamScheduler of 'lr'",
        "<ParamScheduler of 'dampening'",
    ]
    found = check_plan(trainers[0], 2, 3)
    assert [finding.where for finding in found if finding.code == "unforeseen"] == list(plan.unforeseen)


def test_two_names_of_one_scheduler_have_arrays_of_their_own():
    def make(training):
        optimizer = training.optimizer()
        scheduler = CosineDecayScheduler(optimizer, "lr", 9)
        scheduler.attach(training.trainer, Events.EPOCH_STARTED, "by epochs")
        training.trainer.add_event_handler(Events.ITERATION_STARTED, scheduler, "by iterations")
        training.reads |= dict.fromkeys(["by epochs", "by iterations"], lambda: values_of(optimizer))

    plan = assert_as_planned(make, 2, 3)
    assert not np.shares_memory(plan["by epochs"], plan["by iterations"])
    first, second = (column.event_iterations for column in plan.columns.values())
    assert first.tolist() == second.tolist()
    assert not np.shares_memory(first, second)


def test_groups_with_equal_values_have_columns_of_their_own():
    values = dry_run(LinearScheduler(make_optimizer(3), "lr", 4, start_value=1.0, end_value=0.0), 2, 3)["lr"]
    assert values.tolist() == [[value] * 3 for value in (1.0, 0.75, 0.5, 0.25, 0.0, 0.0)]
    values[0, 1] = 5.0
    assert values[:2].tolist() == [[1.0, 5.0, 1.0], [0.75] * 3]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_a_tensor_is_planned_with_its_precision(dtype):
    def make(training):
        betas = torch.tensor(0.9, dtype=dtype), torch.tensor(0.999)
        optimizer = training.optimizer(2, torch.optim.Adam, lr=torch.tensor(0.3, dtype=dtype), betas=betas)
        CosineDecayScheduler(optimizer, "lr", 14, end_value=0.1, start_value=0.3).attach(training.trainer)
        LinearScheduler(optimizer, "betas[0]", 7, start_value=0.8, end_value=0.9).attach(training.trainer)
        training.reads["lr"] = lambda: values_of(optimizer)
        training.reads["betas[0]"] = lambda: values_of(optimizer, "betas[0]")

    plan = assert_as_planned(make, 3, 5)
    assert float(plan["lr"][3, 0]) == torch.tensor(plan["lr"][3, 0], dtype=dtype).item()


@pytest.mark.parametrize("way", WAYS)
def test_two_optimizers_of_one_name(way):
    def make(training):
        first, second = training.optimizer(2), training.optimizer(1)
        attach(training, CosineDecayScheduler(first, "lr", 9), Events.ITERATION_STARTED, way)
        attach(training, StepScheduler(second, "lr", 2, gamma=0.5), Events.ITERATION_STARTED(every=2), way)
        attach(training, StepScheduler(second, "momentum", 2, gamma=0.5), Events.EPOCH_STARTED, way, "m")
        training.reads["lr"] = lambda: values_of(first) + values_of(second)
        training.reads["m"] = lambda: values_of(second, "momentum")

    plan = assert_as_planned(make, 3, 5)
    assert plan.columns["lr"].labels == ("optimizer 0, group 0", "optimizer 0, group 1", "optimizer 1, group 0")


@pytest.mark.parametrize("second_event", [Events.ITERATION_STARTED(every=3), Events.ITERATION_COMPLETED(after=4)])
@pytest.mark.parametrize("name", [None, "later"])
def test_two_schedulers_of_one_parameter(second_event, name):
    def make(training):
        optimizer = training.optimizer(2)
        CosineDecayScheduler(optimizer, "lr", 9).attach(training.trainer)
        ParamScheduler(optimizer, "lr", param_group_index=1, schedule=COUNTING).attach(
            training.trainer, second_event, name
        )
        training.reads["lr"] = lambda: values_of(optimizer)
        if name:
            training.reads[name] = lambda: values_of(optimizer)[1:]

    assert_as_planned(make, 3, 5)


def test_one_scheduler_under_two_names_counts_both_kinds_of_events():
    def make(training):
        optimizer = training.optimizer()
        scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
        scheduler.attach(training.trainer, Events.EPOCH_STARTED, "epochs")
        scheduler.attach(training.trainer, Events.ITERATION_COMPLETED(every=2), "iterations")
        training.reads["epochs"] = training.reads["iterations"] = lambda: values_of(optimizer)

    assert_as_planned(make, 4, 3)


def test_an_attached_scheduler_that_is_removed_is_not_planned():
    def make(training):
        optimizer = training.optimizer()
        scheduler = ParamScheduler(optimizer, "lr", schedule=COUNTING)
        scheduler.attach(training.trainer, Events.ITERATION_STARTED(every=2), "gone").remove()
        scheduler.attach(training.trainer, Events.ITERATION_STARTED)
        training.reads["lr"] = lambda: values_of(optimizer)

    assert_as_planned(make, 2, 3)


def grouped(training, names):
    optimizer, loader = training.optimizer(2), DataLoader(torch.zeros(8), batch_size=2)
    members = [
        CosineDecayScheduler(optimizer, "lr", 9, param_group_index=0),
        LinearScheduler(optimizer, "lr", 9, start_value=0.3, end_value=0.1, param_group_index=1),
        ParamScheduler(optimizer, "weight_decay", schedule=Anneal([0.1, 0.2], 0.0, 8)),
        StateParamScheduler("dropout", schedule=LinearInterpolation([(0, 0.5), (9, 0.1)])),
        BatchSizeScheduler(loader, lambda event: event + 1),
    ]

    def read():
        size = [float(loader.batch_sampler.batch_size)]
        state = [getattr(training.trainer.state, "dropout", None)]
        return [values_of(optimizer)[:1], values_of(optimizer)[1:], values_of(optimizer, "weight_decay"), state, size]

    return ParamGroupScheduler(members, names), read


def test_a_group_scheduler_with_names():
    def make(training):
        scheduler, read = grouped(training, ["head", "body", "decay", "state", "head"])
        scheduler.attach(training.trainer, Events.ITERATION_STARTED(every=2))
        training.reads["head"] = lambda: read()[0] + read()[4]
        for at, name in enumerate(("body", "decay", "state"), 1):
            training.reads[name] = lambda at=at: read()[at]

    assert_as_planned(make, 3, 5)


def test_a_group_scheduler_under_one_name():
    def make(training):
        scheduler, read = grouped(training, None)
        scheduler.attach(training.trainer, Events.ITERATION_STARTED(every=2), "all")
        training.reads["all"] = lambda: [value for values in read() for value in values]

    assert_as_planned(make, 3, 5)


def test_a_torch_scheduler_in_a_group_under_one_name():
    def make(training):
        training.trainer.state.metrics = {}
        rig = RIGS["torch in a group"]()
        rig.scheduler.attach(training.trainer, name="all")
        optimizer = rig.scheduler.optimizer[0]
        training.reads["all"] = lambda: values_of(optimizer) + values_of(optimizer, "weight_decay")[1:2]

    assert_as_planned(make, 3, 5)


@for_each("kind", ["OneCycleLR", "CyclicLR"])
@for_each("optimizer_type", [torch.optim.SGD, torch.optim.Adam])
@for_each("concatenated", [False, True])
@for_each("name", [None, "rate"])
def test_the_momentum_that_a_torch_scheduler_cycles(kind, optimizer_type, concatenated, name):
    def make(training):
        optimizer = training.optimizer(2, optimizer_type)
        scheduler = LRScheduler(TORCH[kind](optimizer))
        if concatenated:
            scheduler = ConcatScheduler([LinearScheduler(optimizer, "lr", 4, 0.1, 0.2), scheduler], [4])
        scheduler.attach(training.trainer, name=name)
        key = "momentum" if optimizer_type is torch.optim.SGD else "betas[0]"
        training.reads[name or "lr"] = lambda: values_of(optimizer)
        training.reads["momentum"] = lambda: values_of(optimizer, key)

    assert_as_planned(make, 3, 5)


def test_a_state_that_a_function_gives_lists_numbers_and_bools():
    def make(training):
        lists = StateParamScheduler("lists", create_new=True, schedule=lambda event: [event, event / 3])
        lists.attach(training.trainer, Events.ITERATION_STARTED(after=2))
        flags = StateParamScheduler("flags", create_new=True, schedule=lambda event: event % 2 == 1)
        flags.attach(training.trainer, Events.ITERATION_COMPLETED)
        numbers = StateParamScheduler("numbers", create_new=True, schedule=lambda event: event)
        numbers.attach(training.trainer, Events.EPOCH_COMPLETED)
        state = training.trainer.state
        training.reads["lists"] = lambda: state.lists or [None, None]
        training.reads |= {"flags": lambda: [state.flags], "numbers": lambda: [state.numbers]}

    assert_as_planned(make, 3, 4)


def test_a_list_in_the_state_that_grows_has_a_column_for_each_of_its_numbers():
    def make(training):
        lists = StateParamScheduler("lists", create_new=True, schedule=lambda event: [0.5] * (event + 1))
        lists.attach(training.trainer, Events.EPOCH_STARTED)
        training.reads["lists"] = lambda: (
            training.trainer.state.lists + [None] * (3 - len(training.trainer.state.lists))
        )

    assert_as_planned(make, 3, 4)


def test_batch_sizes_are_those_of_the_sampler():
    def make(training):
        loaders = [DataLoader(torch.zeros(8), batch_size=size) for size in (3, 4)]
        BatchSizeScheduler(loaders[0], lambda event: 2**event).attach(training.trainer, Events.EPOCH_COMPLETED)
        BatchSizeScheduler(loaders[1], LinearInterpolation([(0, 8), (3, 18)])).attach(training.trainer, name="other")
        training.reads["batch_size"] = lambda: [loaders[0].batch_sampler.batch_size]
        training.reads["other"] = lambda: [loaders[1].batch_sampler.batch_size]

    assert_as_planned(make, 4, 3)


def test_a_plateau_that_another_scheduler_moves_beneath():
    """The plateau reduces the current learning rate, which another scheduler has written."""

    def make(training):
        optimizer = training.optimizer(2)
        CosineDecayScheduler(optimizer, "lr", 30).attach(training.trainer, Events.ITERATION_STARTED(every=2))
        plateau = ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)
        plateau.attach(training.trainer, Events.ITERATION_COMPLETED, "plateau")
        training.reads["lr"] = training.reads["plateau"] = lambda: values_of(optimizer)

    assert_as_planned(make, 5, 4, {"loss": METRICS[:20]})


def test_a_schedule_that_reads_what_another_scheduler_wrote():
    def make(training):
        optimizer = training.optimizer()
        lr = CosineDecayScheduler(optimizer, "lr", 30)
        lr.attach(training.trainer)
        follower = ParamScheduler(optimizer, "weight_decay", schedule=Follower(optimizer, training.trainer, lr).value)
        follower.attach(training.trainer)
        training.reads |= {
            "lr": lambda: values_of(optimizer),
            "weight_decay": lambda: values_of(optimizer, "weight_decay"),
        }

    assert_as_planned(make, 3, 4)


class Follower:
    """Has a method for a schedule, which reads the optimizer, the trainer and another scheduler."""

    def __init__(self, optimizer, trainer, scheduler):
        self.optimizer, self.trainer, self.scheduler = optimizer, trainer, scheduler

    def value(self, event):
        lr = self.optimizer.param_groups[0]["lr"]
        return lr / 10 + self.trainer.state.iteration + 100 * self.scheduler.event_index + self.trainer.state.epoch / 7
