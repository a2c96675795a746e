"""The whole plan of a run before it begins."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from ignite.engine import Engine

from lehr.handlers.core import inspection
from lehr.handlers.core.inspection import Location, locations_of
from lehr.handlers.core.metrics import as_number
from lehr.handlers.plans.simulation.code_inspection import accumulation_of
from lehr.handlers.plans.simulation.run import Part, Rehearsal, stands_at
from lehr.handlers.plans.simulation.values import Sample, sampler
from lehr.handlers.schedules import Schedule, arguments
from lehr.handlers.schedules.named_phases import Segment, segments_of

from .plan import Column, Plan, Span

Metrics = Mapping[str, Sequence[float]]


def dry_run(
    trainer: Engine,
    max_epochs: int,
    epoch_length: int,
    metrics: Metrics | None = None,
    *,
    gradient_accumulation_steps: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> Plan:
    """What all schedulers of a trainer will have in effect at each iteration of a run.

    It covers every scheduler that reaches the trainer, by ``attach`` or by ``add_event_handler``, with its filters, on
    epochs, iterations or real steps; ``next_phase`` and ``observe`` of a scheduler, where they are handlers; and the
    schedulers of evaluators that one of the trainer's handlers runs, as far as its code shows. Copies of them act, at
    events that come in ignite's order. No training step and no other handler is called, and nothing is changed: not
    the trainer, a scheduler, an optimizer, a data loader, the disk or the random numbers, also if there is an error.

    Where the trainer's state is that of a run that is to be resumed, the plan begins with the iteration that comes
    next, and has NaN before. What nobody can tell is left out, and named in ``plan.unforeseen``: a scheduler on an
    event of a user's own, one that a user's code may call, one on an engine that no handler is seen to run. A Python
    function that looks at something by way of a closure or a global looks at it as it is now, and what it changes
    there it changes.

    Args:
        trainer: the engine.
        max_epochs: epochs of the whole run.
        epoch_length: iterations of an epoch.
        metrics: the values of each metric in the course of the run, by its name, evenly spaced: one for each epoch, or
            each iteration, or any other number that divides that of the iterations. What is not given moves nothing.
        gradient_accumulation_steps: how many iterations make one step of the optimizers. None for what ignite's
            ``create_supervised_trainer`` was given, where it has made the trainer, else for 1.
        progress: is called with how many iterations were rehearsed since the last call, every 1000 of them, such as
            ``tqdm(...).update``; None for nothing.

    Returns:
        A :class:`~lehr.handlers.plans.Plan`; ``plan[name]`` is an array ``(max_epochs * epoch_length, groups)``: what
        stands at each iteration, when its training step has taken it, where the scheduler writes whose history has
        that name, with the groups of all who share a name. What a tensor holds is rounded to its precision.

    Raises:
        TypeError: an argument is of the wrong kind; something cannot be copied.
        ValueError: an argument is out of its range; the trainer stands within a run of another ``epoch_length``.
        Exception: what a scheduler raises at one of its events, with a note that says at which iteration.

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
    """
    rehearsal, samples = rehearsed(trainer, max_epochs, epoch_length, metrics, gradient_accumulation_steps)
    rehearsal.run(sampler(samples, progress))
    return plan_of(rehearsal, samples)


def rehearsed(
    trainer: Engine, max_epochs: int, epoch_length: int, metrics: Metrics | None, accumulation: int | None
) -> tuple[Rehearsal, dict[str, Sample]]:
    """A rehearsal that is still to be run, and a sample for each name.

    Raises:
        TypeError, ValueError: as :func:`dry_run`.
    """
    if not isinstance(trainer, Engine):
        raise TypeError(f"trainer must be an ignite Engine, given {trainer!r}")
    max_epochs = arguments.whole_number("max_epochs", max_epochs, at_least=1)
    epoch_length = arguments.whole_number("epoch_length", epoch_length, at_least=1)
    state = trainer.state
    if stands_at(trainer, max_epochs * epoch_length) and state.epoch_length not in (None, epoch_length):
        raise ValueError(
            f"epoch_length must be that of the run which the trainer is in, {state.epoch_length}, given {epoch_length}"
        )
    if state.max_epochs is not None and max_epochs < state.epoch:  # ignite would refuse it too
        raise ValueError(f"max_epochs must be at least the {state.epoch} that the trainer has made, given {max_epochs}")
    if accumulation is None:
        accumulation = accumulation_of(trainer)
    accumulation = arguments.whole_number("gradient_accumulation_steps", accumulation, at_least=1)
    checked = _checked_metrics(metrics, max_epochs * epoch_length)
    rehearsal = Rehearsal(trainer, max_epochs, epoch_length, checked, accumulation)
    samples: dict[str, Sample] = {}
    for part in rehearsal.parts:
        own_names = inspection.history_names(part.copy, None)
        for wire in part.writing:
            for own_name, places in locations_of(part.copy, rehearsal.stand_in_for(wire.engine)).items():
                # What torch writes beside the learning rate has no history, and keeps its name whatever that is called.
                name = wire.name if wire.name and own_name in own_names else own_name
                samples.setdefault(name, Sample()).add(part, places)
    return rehearsal, samples


def _checked_metrics(metrics: object, iterations: int) -> dict[str, list[float]]:
    if metrics is None:
        return {}
    if not isinstance(metrics, Mapping):
        raise TypeError(f"metrics must be a mapping of names to values, given {arguments.shown(metrics)}")
    checked = {}
    for name, values in metrics.items():
        if not isinstance(name, str):
            raise TypeError(f"metrics must have names that are strings, given {name!r}")
        is_list = isinstance(values, Sequence | np.ndarray) and not isinstance(values, str | bytes)
        if not is_list or getattr(values, "ndim", 1) != 1:
            raise TypeError(f"metrics[{name!r}] must be a list of numbers, given {arguments.shown(values)}")
        if not len(values) or iterations % len(values):
            raise ValueError(
                f"metrics[{name!r}] must have a value for each epoch or each iteration, or another number of values "
                f"that divides the {iterations} iterations, given {len(values)} of them"
            )
        checked[name] = [_number(f"metrics[{name!r}][{at}]", value) for at, value in enumerate(values)]
    return checked


def _number(name: str, value: object) -> float:
    if isinstance(value, str | bytes):
        raise TypeError(f"{name} must be a number, given {arguments.shown(value)}")
    try:
        return as_number(value)
    except TypeError as error:
        raise TypeError(f"{name} must be a number, given {arguments.shown(value)}") from error


def plan_of(rehearsal: Rehearsal, samples: Mapping[str, Sample]) -> Plan:
    """The plan of a rehearsal that has been run, or has come to an error."""
    columns = {}
    for name, sample in samples.items():
        values = sample.table(rehearsal.start, rehearsal.iterations)
        schedules = sample.schedules(rehearsal.engine)
        all_spans = [_spans(part, writer.schedule, rehearsal.iterations) for part, writer, _ in schedules]
        spans = next(filter(None, all_spans), ())
        ticks = sorted(tick for part, _ in sample.writers for tick in part.ticks)
        columns[name] = Column(values, _labels(sample.places, values.shape[1]), spans, np.array(ticks, dtype=np.int64))
    unforeseen = [f"{wire.target!r} on {wire.where}" for wire in rehearsal.unforeseen]
    unforeseen += [
        f"{part.original!r}, which does not say where it writes, or has no groups to write to"
        for part in rehearsal.silent
    ]
    unforeseen += [f"{scheduler!r} on an engine that nothing is seen to run" for scheduler in rehearsal.out_of_sight()]
    unforeseen += [f"{scheduler!r}, which code of yours may call" for scheduler in rehearsal.called_by_others()]
    return Plan(columns, rehearsal.max_epochs, rehearsal.epoch_length, rehearsal.start, unforeseen)


def _labels(places: Sequence[Location], groups: int) -> tuple[str, ...]:
    optimizers = list(dict.fromkeys(id(place.owner) for place in places if place.label))
    labels = [place.label for place in places] + [""] * (groups - len(places))
    if len(optimizers) > 1:
        numbers = [optimizers.index(id(place.owner)) if place.label else None for place in places]
        labels = [
            label if number is None else f"optimizer {number}, {label}"
            for label, number in zip(labels, numbers, strict=False)
        ]
    return tuple(labels)


def _spans(part: Part, schedule: Schedule, iterations: int) -> tuple[Span, ...]:
    """The phases of a schedule, in iterations."""
    segments: Sequence[Segment] = segments_of(schedule)
    found: list[tuple[int, str]] = []
    for first_event, name in segments:
        at = int(np.ceil(first_event)) - part.first_event
        if at < len(part.ticks) and (first := part.ticks[max(at, 0)]) < iterations:
            found.append((first, name))
    stops = [*(first for first, _ in found[1:]), iterations][: len(found)]
    return tuple(Span(first, stop, name) for (first, name), stop in zip(found, stops, strict=True) if first < stop)
