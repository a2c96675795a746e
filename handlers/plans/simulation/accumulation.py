"""Gradient accumulation: the number of iterations in one step of each optimizer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from ignite.engine import Engine
from torch.optim import Optimizer

from lehr.engine.handler_inspection import closure_of
from lehr.engine.optimizer_events import wrapped_optimizer
from lehr.handlers.core.for_plans_and_cli import members_of, training_step_of
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules import arguments

AccumulationSteps = int | Mapping[Any, int] | None  # the keys of the mapping are optimizers


@dataclass(frozen=True)
class Accumulation:
    """The number of iterations in one step of each optimizer.

    Args:
        default: the iterations for each step of an optimizer that is not in ``by_optimizer``.
        by_optimizer: maps an optimizer to the iterations for each of its steps.
    """

    default: int = 1
    by_optimizer: Mapping[Optimizer, int] = field(default_factory=dict)

    def of(self, optimizer: Any) -> int:
        """Return the iterations for each step of an optimizer."""
        return self.by_optimizer.get(wrapped_optimizer(optimizer), self.default)

    def of_scheduler(self, scheduler: BaseParamScheduler) -> int:
        """Return the iterations for each step of a scheduler's optimizer, or the smallest number of several."""
        optimizers = [member.optimizer for member in members_of(scheduler) if isinstance(member, ParamScheduler)]
        return min(map(self.of, optimizers), default=self.default)


def accumulation_of(trainer: object, given: AccumulationSteps) -> Accumulation:
    """Return the accumulation of a run.

    Args:
        trainer: the engine, or the schedulers of a loop without an engine.
        given: the argument ``gradient_accumulation_steps``; see :func:`~lehr.handlers.dry_run`.

    Raises:
        TypeError: ``given`` has the wrong type.
        ValueError: a number in ``given`` is less than 1.
    """
    name, of_trainer = (
        "gradient_accumulation_steps",
        accumulation_steps_of(trainer) if isinstance(trainer, Engine) else 1,
    )
    if not isinstance(given, Mapping):
        return Accumulation(arguments.whole_number(name, of_trainer if given is None else given, at_least=1))
    by_optimizer = {}
    for key, steps in given.items():
        optimizer = wrapped_optimizer(key)
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{name} must have keys that are optimizers of torch, given {arguments.shown(key)}")
        by_optimizer[optimizer] = arguments.whole_number(f"{name}[{type(optimizer).__name__}]", steps, at_least=1)
    return Accumulation(of_trainer, by_optimizer)


def accumulation_steps_of(engine: Engine) -> int:
    """Return the ``gradient_accumulation_steps`` of ignite's ``create_supervised_trainer``, or 1 for another engine."""
    step = training_step_of(engine)
    variables = closure_of(step) if isinstance(step, FunctionType) else {}
    steps = variables.get("gradient_accumulation_steps", 1)
    return steps if isinstance(steps, int) else 1
