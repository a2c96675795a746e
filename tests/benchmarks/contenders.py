"""The contenders of lehr: the same schedules in ignite, torch and mmengine, and a bare loop of writes."""

import warnings
from importlib.util import find_spec

import torch
from ignite.engine import Events
from ignite.handlers import param_scheduler as ignite
from interleaving import Contender
from quick_ratios import LARGEST_BLOCK
from torch.optim import lr_scheduler as in_torch

import lehr.handlers as lehr

in_mmengine = None
if find_spec("mmengine") is not None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mmengine.optim import scheduler as in_mmengine

CYCLE = 1000
LONG = 10**9  # steps: some schedulers raise beyond their end
PARAMS = ("lr", "momentum", "weight_decay", "dampening")

COSINE = {"start_value": 0.1, "end_value": 0.001, "cycle_size": CYCLE}
UP_AND_DOWN = {"start_value": 0.001, "end_value": 0.1, "cycle_size": CYCLE}

# By library: the scheduler of a parameter, or of "lr" if the library schedules no other.
KINDS = {
    "cosine": {
        "lehr": lambda optimizer, name="lr", **more: lehr.CosineAnnealingScheduler(optimizer, name, **COSINE, **more),
        "ignite": lambda optimizer, name="lr", **more: ignite.CosineAnnealingScheduler(
            optimizer, name, **COSINE, **more
        ),
        "torch": lambda optimizer: in_torch.CosineAnnealingLR(optimizer, CYCLE, eta_min=0.001),
        "mmengine": lambda optimizer: in_mmengine.CosineAnnealingLR(optimizer, T_max=CYCLE, eta_min=0.001),
    },
    "one-cycle": {
        "lehr": lambda optimizer: lehr.OneCycleScheduler(optimizer, "lr", 0.1, total_steps=LONG),
        "torch": lambda optimizer: in_torch.OneCycleLR(optimizer, 0.1, total_steps=LONG, cycle_momentum=False),
        "mmengine": lambda optimizer: in_mmengine.OneCycleLR(optimizer, 0.1, total_steps=LONG),
    },
    "triangular": {
        "lehr": lambda optimizer: lehr.CyclicScheduler(optimizer, "lr", 0.001, 0.1, step_size_up=CYCLE // 2),
        "ignite": lambda optimizer: ignite.LinearCyclicalScheduler(optimizer, "lr", **UP_AND_DOWN),
        "torch": lambda optimizer: in_torch.CyclicLR(optimizer, 0.001, 0.1, CYCLE // 2, cycle_momentum=False),
    },
}


def libraries_of(kind):
    """The libraries that have such a scheduler and are installed."""
    return [library for library in KINDS[kind] if library != "mmengine" or in_mmengine is not None]


def optimizer_of(groups, **more):
    """An optimizer of so many param groups. Each value of ``more`` is a function that makes the value of a group."""
    params = [
        {"params": [torch.nn.Parameter(torch.zeros(1))], **{name: make() for name, make in more.items()}}
        for _ in range(groups)
    ]
    return torch.optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.0, dampening=0.0)


def stepping(make, optimizer):
    """A scheduler after one step of its optimizer, without which torch and mmengine warn."""
    scheduler = make(optimizer)
    optimizer.step()
    return scheduler


def event_of(library, scheduler, engine=None):
    """One event of a scheduler."""
    if library in ("torch", "mmengine"):
        return Contender(scheduler.step)
    # lehr computes a block of values at once. Rounds are whole blocks, so that the times include it.
    return Contender(scheduler, (engine,), multiple=LARGEST_BLOCK if library == "lehr" else 1)


def attach(library, scheduler, engine):
    """Attach a scheduler of lehr or ignite to the iterations of an engine."""
    if library == "lehr":
        scheduler.attach(engine)
    else:
        engine.add_event_handler(Events.ITERATION_STARTED, scheduler)


def together(contenders):
    """One event of each contender."""
    calls = [(one.call, one.arguments) for one in contenders]

    def call_all():
        for call, arguments in calls:
            call(*arguments)

    return Contender(call_all, multiple=contenders[0].multiple)


def bare_loop(groups, names=("lr",)):
    """A loop that only writes to the param groups."""
    param_groups = optimizer_of(groups).param_groups

    def write():
        value = 0.5
        for name in names:
            for group in param_groups:
                group[name] = value

    return Contender(write)


def written(library, scheduler, events):
    """The values of the first and the last group at the last of so many events."""
    one = event_of(library, scheduler)
    # torch and mmengine write the first value when they are made.
    for _ in range(events - (library in ("torch", "mmengine"))):
        one.call(*one.arguments)
    groups = scheduler.optimizer.param_groups
    return [float(groups[at]["lr"]) for at in (0, -1)]
