"""The user's training: ``python -m their_package.train`` prints what was trained with, as JSON."""

import json
import sys
import warnings

import torch
from ignite.engine import Engine, Events

from lehr.engine import OptimizerEvents, ParamHistory, configure_optimizer
from lehr.handlers import (
    ConcatScheduler,
    CosineAnnealingScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ResumeWarning,
    configure_scheduler,
    create_lr_scheduler_with_warmup,
)
from lehr.handlers.plans import check_plan, dry_run

from .schedulers import CountdownState, HalvingScheduler, PerGroupScheduler, SquareCycle
from .schedules import Staircase


def make_optimizer():
    params = [{"params": [torch.nn.Parameter(torch.zeros(2))]} for _ in range(2)]
    return configure_optimizer("SGD", params, lr=0.5, momentum=0.9)


def make_schedulers(optimizer, name):
    """The schedulers of a training, by its name."""
    if name == "own schedule":
        return [ParamScheduler(optimizer, "lr", save_history=True, schedule=Staircase(1.0, 0.25, 2))]
    if name == "own get_param":
        return [HalvingScheduler(optimizer, "lr", every=3, save_history=True)]
    if name == "a value for each group":
        return [PerGroupScheduler(optimizer, "lr", save_history=True)]
    if name == "own cycle":
        return [SquareCycle(optimizer, "lr", 0.0, 1.0, 4, start_value_mult=0.5, save_history=True)]
    if name == "own scheduler in a concatenation":
        warmup = ParamScheduler(optimizer, "lr", schedule=lambda event: 0.125 * event)
        return [ConcatScheduler([warmup, HalvingScheduler(optimizer, "lr", every=2)], [3], save_history=True)]
    if name == "own scheduler in a group":
        momentum = CosineAnnealingScheduler(optimizer, "momentum", 1.0, 0.5, 4)
        return [ParamGroupScheduler([HalvingScheduler(optimizer, "lr", every=3), momentum], save_history=True)]
    if name == "own cycle after a warm-up":
        after = SquareCycle(optimizer, "lr", 1.0, 0.0, 4)
        return [create_lr_scheduler_with_warmup(after, 0.0, 3, save_history=True)]
    if name == "own state":
        return [CountdownState("temperature", save_history=True, create_new=True)]
    config = {"type": "torch.StepLR", "step_size": 2, "gamma": 0.5, "save_history": True}
    return [configure_scheduler(optimizer, config)]


NAMES = (
    "own schedule",
    "own get_param",
    "a value for each group",
    "own cycle",
    "own scheduler in a concatenation",
    "own scheduler in a group",
    "own cycle after a warm-up",
    "own state",
    "from a config",
)


def make_training(name):
    optimizer = make_optimizer()
    trainer = Engine(lambda engine, batch: optimizer.step())
    schedulers = make_schedulers(optimizer, name)
    for scheduler in schedulers:
        scheduler.attach(trainer, Events.ITERATION_STARTED)
    return trainer, schedulers


def recorded(trainer):
    return {name: column[:] for name, column in trainer.state.param_history.items()}


def train(name, events=8, stop=5):
    """What a run records, what a plan said of it, and what a run records that was stopped and resumed."""
    planned, _ = make_training(name)
    plan = dry_run(planned, max_epochs=1, epoch_length=events)
    findings = [finding.code for finding in check_plan(planned, max_epochs=1, epoch_length=events)]

    trainer, _ = make_training(name)
    trainer.run(range(events), max_epochs=1)

    stopped, schedulers = make_training(name)
    stopped.run(range(stop), max_epochs=1)
    state = json.loads(json.dumps([scheduler.state_dict() for scheduler in schedulers]))
    history = stopped.state.param_history.state_dict()

    resumed, schedulers = make_training(name)
    resumed.state.param_history = ParamHistory()
    resumed.state.param_history.load_state_dict(history)
    for scheduler, its_state in zip(schedulers, state, strict=True):
        scheduler.load_state_dict(its_state)
        scheduler.seek(scheduler.event_index)  # the engine begins anew, and the scheduler goes on
    resumed.run(range(events - stop), max_epochs=1)
    return {
        "recorded": recorded(trainer),
        "planned": {name: plan[name].tolist() for name in recorded(trainer)},
        "resumed": recorded(resumed),
        "findings": findings,
    }


def real_steps():
    """Values of a scheduler that counts the optimizer's own steps, of which there is one for two batches."""
    optimizer, values = make_optimizer(), []
    trainer = Engine(lambda engine, batch: engine.state.iteration % 2 or optimizer.step())
    OptimizerEvents.attach(trainer, optimizer)
    HalvingScheduler(optimizer, "lr", every=1).attach(trainer, OptimizerEvents.STEP_STARTED)
    trainer.add_event_handler(OptimizerEvents.STEP_COMPLETED, lambda: values.append(optimizer.param_groups[0]["lr"]))
    trainer.run(range(6), max_epochs=1)
    return values


def changed_schedule():
    """The name of the warning of a resume with another schedule."""
    saved = ParamScheduler(make_optimizer(), "lr", schedule=Staircase(1.0, 0.25, 2))
    saved.seek(3)
    other = ParamScheduler(make_optimizer(), "lr", schedule=Staircase(1.0, 0.5, 2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResumeWarning)
        other.load_state_dict(saved.state_dict())
    return [warning.category.__name__ for warning in caught]


if __name__ == "__main__":
    warnings.simplefilter("error", ResumeWarning)
    result = {name: train(name) for name in NAMES}
    result |= {"real steps": real_steps(), "a changed schedule": changed_schedule()}
    json.dump(result, sys.stdout)
