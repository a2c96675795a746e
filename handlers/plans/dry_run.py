"""Computes the values that all schedulers of a run will write, before the run starts."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from ignite.engine import Engine

from lehr.handlers.core.duration_unit_checks import given_unit
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.value_reduced_on_plateau import checked_metric

from .plan import PhaseSpan, Plan, PlanColumn
from .simulation.accumulation import AccumulationSteps, accumulation_of
from .simulation.amounts import Amounts, Seconds, planned_amounts
from .simulation.plain_run import Planned, engine_of
from .simulation.run import SimulatedRun
from .simulation.simulated_scheduler import WrittenSchedule
from .simulation.timeline import RunSettings
from .simulation.unforeseen import unforeseen_by

Metrics = Mapping[str, Sequence[float]]


def dry_run(
    trainer: Planned,
    max_epochs: int | None,
    epoch_length: int,
    metrics: Metrics | None = None,
    *,
    max_iters: int | None = None,
    gradient_accumulation_steps: AccumulationSteps = None,
    progress: Callable[[int], object] | None = None,
    amounts: Amounts = None,
    seconds_per_step: Seconds = None,
) -> Plan:
    """Compute the values that all scheduled parameters of a trainer will have at each iteration of a run.

    The dry run fires the events of the run, in ignite's order, for copies of the schedulers. It covers:

    - every scheduler that is attached to the trainer, by ``attach`` or ``add_event_handler``, on an event of ignite or
      of :class:`~lehr.engine.OptimizerEvents`, with any filter;
    - ``next_phase`` and ``observe`` of a scheduler, if they are handlers of the trainer;
    - the schedulers of evaluators that a handler of the trainer runs.

    The dry run calls no training step and no other handler. The trainer, its schedulers, optimizers and data loaders,
    the disk and the random state stay as they are, even if there is an error. (If a schedule calls a Python function of
    yours, the function can still read and change the objects of its closure and globals. After the call, the dry run
    restores the random states of Python, NumPy and torch's CPU. If another thread draws random numbers during the call,
    it later draws the same numbers again.)

    If the state of the trainer was loaded to resume a run, the plan starts at the next iteration, and its earlier
    values are NaN.

    The dry run leaves out schedulers that it cannot predict. ``plan.unforeseen`` names them:

    - schedulers on an event of your own, and schedulers that your code calls;
    - schedulers on an engine that no handler of the trainer runs;
    - schedulers whose param groups do not exist yet;
    - schedulers with a clock, if you give neither ``amounts`` nor ``seconds_per_step`` for the clock.

    For a training loop without an engine, give the schedulers instead of the trainer. If the schedulers have counted
    events before, the plan covers the remaining events of the run.

    Args:
        trainer: the engine. For a loop without an engine, give a scheduler or several schedulers, which the loop calls
            before every step of the optimizer. Or give a mapping from events to schedulers, such as
            ``{Events.EPOCH_COMPLETED: plateau}``.
        max_epochs: epochs of the whole run, at least 1. Pass None if you give ``max_iters``.
        epoch_length: iterations of an epoch, at least 1.
        metrics: maps the name of each metric to its values, which are evenly spaced over the run. There may be a value
            for each epoch, a value for each iteration, or any other number of values that divides the number of
            iterations. A metric that is not in the mapping has no effect.
        max_iters: iterations of the whole run, at least 1, instead of ``max_epochs``. ``trainer.run`` has the same
            argument.
        gradient_accumulation_steps: iterations for each step of the optimizers, at least 1. If the optimizers differ,
            give a mapping from optimizers to numbers, such as ``{generator: 5}`` for a generator that steps in each 5th
            iteration. If an optimizer has no number and ignite's ``create_supervised_trainer`` made the trainer, the
            number is the ``gradient_accumulation_steps`` of that call. Otherwise it is 1.
        progress: None, or a function such as ``tqdm(...).update``, which is called with 1000 after every 1000
            iterations.
        amounts: the amount that each iteration of all ranks adds to a :class:`TokenClock`, or to another clock that
            counts batches, such as 524288 tokens. Give one number for all iterations, or a number for each iteration of
            the run, or a mapping from clocks to such numbers. For a loop without an engine, give the numbers that the
            loop passes to ``apply``.
        seconds_per_step: the seconds that each iteration takes, for schedulers with a :class:`TimeClock`. Give one
            number for all iterations, or a number for each iteration.

    Shapes: ``plan[name]`` is ``(max_epochs * epoch_length, groups)``, or ``(max_iters, groups)``.

    Returns:
        A :class:`~lehr.handlers.plans.Plan`. ``plan[name]`` has the values after the training step of each iteration,
        in all groups that are written under the name. Values in tensors are rounded to the precision of the tensor.

    Raises:
        TypeError: an argument has the wrong type, or an object cannot be copied.
        ValueError: an argument is out of its range, or the trainer is in a run with another ``epoch_length``.
        Exception: a scheduler raises an error at an event. A note names the iteration.

    Example:
        >>> import torch
        >>> from ignite.engine import Events
        >>> from lehr.handlers import ReduceOnPlateauScheduler, StepScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, weight_decay=0.01)
        >>> trainer = Engine(lambda engine, batch: optimizer.step())
        >>> handle = StepScheduler(optimizer, "lr", 1, gamma=0.5).attach(trainer, Events.ITERATION_STARTED(every=2))
        >>> plateau = ReduceOnPlateauScheduler(optimizer, "weight_decay", "loss", factor=0.5, patience=0)
        >>> handle = plateau.attach(trainer, Events.EPOCH_COMPLETED)
        >>> plan = dry_run(trainer, max_epochs=3, epoch_length=2, metrics={"loss": [1.0, 1.0, 0.5]})
        >>> plan["lr"][:, 0].tolist()
        [0.1, 0.1, 0.1, 0.05, 0.05, 0.025]
        >>> plan["weight_decay"][:, 0].tolist()
        [0.01, 0.01, 0.01, 0.01, 0.005, 0.005]
        >>> optimizer.param_groups[0]["lr"], trainer.state.iteration
        (0.1, 0)

        Without an engine:

        >>> dry_run(StepScheduler(optimizer, "lr", 2, gamma=0.5), max_epochs=2, epoch_length=2)["lr"][:, 0].tolist()
        [0.1, 0.1, 0.05, 0.05]
    """
    readings = amounts, seconds_per_step
    run = prepared_run(trainer, max_epochs, epoch_length, metrics, gradient_accumulation_steps, max_iters, readings)
    run.run(progress)
    return plan_of(run)


def prepared_run(
    trainer: Planned,
    max_epochs: int | None,
    epoch_length: int,
    metrics: Metrics | None,
    accumulation: AccumulationSteps,
    max_iters: int | None,
    readings: tuple[Amounts, Seconds],
) -> SimulatedRun:
    """Return a simulated run that has not started yet.

    Raises:
        TypeError: see :func:`dry_run`.
        ValueError: see :func:`dry_run`.
    """
    epoch_length = arguments.whole_number("epoch_length", epoch_length, at_least=1)
    if max_iters is None:
        max_epochs = arguments.whole_number("max_epochs", max_epochs, at_least=1)
        iterations = max_epochs * epoch_length
    elif max_epochs is None:
        iterations = arguments.whole_number("max_iters", max_iters, at_least=1)
        max_epochs = -(-iterations // epoch_length)
    else:
        raise ValueError(
            f"max_epochs must be None if max_iters is set, given {arguments.shown(max_epochs)} "
            f"and {arguments.shown(max_iters)}"
        )
    steps = accumulation_of(trainer, accumulation)
    planned = planned_amounts(*readings, iterations)
    trainer = engine_of(trainer, max_epochs, epoch_length, steps, planned.default)
    state, start = trainer.state, _iterations_done(trainer, iterations)
    if start and state.epoch_length not in (None, epoch_length):
        raise ValueError(
            f"epoch_length must be {state.epoch_length}, as in the run that the trainer is in, given {epoch_length}"
        )
    if state.max_epochs is not None and max_epochs < state.epoch:  # ignite would refuse this too
        raise ValueError(
            f"max_epochs must be at least {state.epoch}, the epochs that the trainer has made, given {max_epochs}"
        )
    checked = _checked_metrics(metrics, iterations, epoch_length)
    planned = replace(planned, start=start)
    return SimulatedRun(trainer, RunSettings(max_epochs, epoch_length, iterations, start, checked, steps, planned))


def _iterations_done(trainer: Engine, iterations: int) -> int:
    """Return how many iterations of its run the trainer has made, or 0 if ignite would start a new run."""
    state = trainer.state
    # Older versions of ignite convert max_iters to epochs and do not keep it.
    is_in_run = state.max_epochs is not None or getattr(state, "max_iters", None) is not None
    return int(state.iteration) if is_in_run and state.iteration < iterations else 0


def _checked_metrics(metrics: object, iterations: int, epoch_length: int) -> dict[str, list[float]]:
    if metrics is None:
        return {}
    if not isinstance(metrics, Mapping):
        raise TypeError(f"metrics must be a mapping of names to values, given {arguments.shown(metrics)}")
    checked = {}
    for name, values in metrics.items():
        if not isinstance(name, str):
            raise TypeError(f"metrics must have names that are strings, given {arguments.shown(name)}")
        is_list = isinstance(values, Sequence | np.ndarray) and not isinstance(values, str | bytes)
        if not is_list or getattr(values, "ndim", 1) != 1:
            raise TypeError(
                f"metrics[{arguments.shown(name)}] must be a list of numbers, given {arguments.shown(values)}"
            )
        if not len(values) or (iterations % len(values) and len(values) != iterations // epoch_length):
            raise ValueError(
                f"metrics[{arguments.shown(name)}] must have a value for each epoch or each iteration, "
                f"or another number of values that divides the {iterations} iterations, given {len(values)} values"
            )
        checked[name] = [_number(f"metrics[{arguments.shown(name)}][{at}]", value) for at, value in enumerate(values)]
    return checked


def _number(name: str, value: object) -> float:
    with suppress(TypeError):
        return checked_metric(value)
    raise TypeError(f"{name} must be a number, given {arguments.shown(value)}")


def plan_of(run: SimulatedRun) -> Plan:
    """Return the plan of a simulated run that has ended, perhaps with an error."""
    columns: dict[str, PlanColumn] = {}
    settings = run.settings
    for name, recorded in run.recorded.items():
        values = run.tables[name]
        values = values if values.flags.writeable else values.copy()  # the user may change the plan
        all_spans = (_spans(written, run.stop) for written in run.written_schedules if written.name == name)
        each = [scheduler.event_iterations for scheduler, _ in recorded.writers]
        is_own = len(each) == 1 and not any(each[0] is column.event_iterations for column in columns.values())
        iterations = each[0] if is_own else np.concatenate(each)
        columns[name] = PlanColumn(
            values,
            recorded.labels(values.shape[1]),
            next(filter(None, all_spans), ()),
            np.sort(iterations) if len(recorded.writers) > 1 else iterations,
            sum(scheduler.first_event for scheduler, _ in recorded.writers if scheduler.clock is None),
            counts=next((np.array(one.event_indices) for one, _ in recorded.writers if one.clock is not None), None),
        )
    plan = Plan(columns, settings.max_epochs, settings.epoch_length, settings.start, unforeseen_by(run))
    plan.num_iterations = run.stop
    originals = [written.scheduler.original for written in run.written_schedules]
    plan.given_unit = next(filter(None, map(given_unit, originals)), None)
    return plan


def _spans(written: WrittenSchedule, iterations: int) -> tuple[PhaseSpan, ...]:
    """Return the phases of a schedule, in iterations."""
    scheduler, found = written.scheduler, []
    for phase in written.phases:
        event = max(scheduler.position(phase.first_event), 0)
        if event < len(scheduler.event_iterations) and scheduler.event_iterations[event] < iterations:
            found.append((int(scheduler.event_iterations[event]), phase.name))
    stops = [*(first for first, _ in found[1:]), iterations]
    spans = (PhaseSpan(first, stop, name) for (first, name), stop in zip(found, stops, strict=False))
    return tuple(span for span in spans if span.first < span.stop)
