"""Searches for mistakes in the schedulers of a run, before the run starts."""

from collections.abc import Callable

from lehr.handlers.core.simulation.keep_random_state import random_state_kept_if
from lehr.handlers.schedules import arguments

from .checks import (
    attachments,
    clock_readings_on_gpu,
    conflicts,
    faster_equivalents,
    group_ratios,
    late_events,
    lengths,
    loggers,
    metrics,
    resuming,
    values,
)
from .checks.checked_run import Check, CheckedRun
from .checks.findings import Finding, Findings
from .dry_run import Metrics, prepared_run
from .simulation.accumulation import AccumulationSteps
from .simulation.amounts import Amounts, Seconds
from .simulation.plain_run import Planned
from .simulation.unforeseen import unforeseen_by

CHECKS: tuple[Check, ...] = (
    conflicts.write_conflicts,
    conflicts.attached_twice,
    attachments.never_attached,
    attachments.history_name_clashes,
    metrics.missing_metrics,
    metrics.evaluator_metrics,
    metrics.never_observed,
    metrics.early_metrics,
    resuming.not_restored,
    resuming.not_reset,
    resuming.past_ends,
    resuming.inexact_resumes,
    values.illegal_values,
    group_ratios.flattened_groups,
    lengths.wrong_lengths,
    values.phase_jumps,
    values.scheduler_jumps,
    late_events.event_jumps,
    late_events.late_events,
    loggers.early_logs,
    values.zero_starts,
    clock_readings_on_gpu.waiting_for_readings,
    faster_equivalents.wrapped_with_a_formula,
    attachments.unforeseen_schedulers,
)


def check_plan(
    trainer: Planned,
    max_epochs: int | None,
    epoch_length: int,
    metrics: Metrics | None = None,
    *,
    max_iters: int | None = None,
    gradient_accumulation_steps: AccumulationSteps = None,
    jump_ratio: float = 2.0,
    progress: Callable[[int], object] | None = None,
    amounts: Amounts = None,
    seconds_per_step: Seconds = None,
) -> Findings:
    """Find mistakes in the schedulers of a trainer, for a run of a given length.

    The function simulates the run with :func:`dry_run`, and changes nothing. For random numbers see :func:`dry_run`.
    Each finding has a ``code`` and a ``severity``:

    - ``write-conflict`` (error): two schedulers write one parameter. The two may be in one ``ParamGroupScheduler``, and
      one of the two may be a scheduler of ignite. The finding says which scheduler's value the training uses, and from
      which iteration on. There is no conflict if one scheduler starts after the last write of the other. (It is a
      warning if one of the two is a scheduler of torch that is not wrapped, and that your code refers to.)
    - ``attached-twice`` (error): one event of an engine calls a scheduler twice, so the scheduler moves on too fast.
      (It is a warning if the scheduler was attached to one event, and then to another event.)
    - ``never-attached`` (warning; info if another scheduler writes the same parameter, or if a metric drives it): a
      scheduler writes to one of the trainer's optimizers, but no event calls it, directly or inside another scheduler.
      The trainer's optimizers are all optimizers that its schedulers write to, or that the code of its training step or
      handlers refers to.
    - ``history-name-clash`` (error): two schedulers would record their values under one name.
    - ``missing-metric`` (error): a scheduler reads a metric that its engine does not produce, although the engine has
      metrics of ignite. Or the metric does not exist yet at the scheduler's event. (It is a warning if a scheduler on
      the trainer reads a metric that only an evaluator has.)
    - ``never-observed`` (warning): a part of a schedule depends on metrics, such as a plateau after a warm-up, but no
      code calls the scheduler's ``observe`` with a metric.
    - ``early-metrics`` (warning): a part of a schedule that depends on metrics gets metrics before its own first event,
      and these early metrics alone may change the value.
    - ``late-event`` (warning; info if the value is the same): the first iterations do not train with the first value of
      the schedule. The scheduler is attached to an event after the training step, or to an event that first occurs
      later in the run.
    - ``early-log`` (warning): at an event, a logger of ignite logs a parameter before the scheduler writes it.
    - ``not-reset`` (warning): the run begins at iteration 0, but a scheduler does not begin at its first event.
    - ``past-end`` (warning): the schedule of a learning rate has ended before the run begins, with a value of almost 0.
    - ``inexact-resume`` (warning): ignite saves a checkpoint before other handlers of ``EPOCH_COMPLETED`` pass metrics
      or begin phases, and a resumed run does not call these handlers again. Or ``terminate_epoch`` ends epochs early.
    - ``not-restored`` (error): the trainer resumes a run, but the event index of a scheduler does not fit the iteration
      of the run.
    - ``illegal-value`` (error): the optimizer does not allow a value, such as lr < 0, betas >= 1 or momentum < 0. Or a
      scheduler raises an error at an event, for example because of a NaN.
    - ``groups-flattened`` (warning): the param groups have different values, and one value is written to all of them.
      Pass ``relative=True`` to keep their ratios.
    - ``end-not-reached`` (warning; info if at least 95% of the schedule is done): the run ends before the schedule
      ends, and the last value of the run is not close to the end value of the schedule. Or the run ends before the last
      phase begins, or before the value changes at all.
    - ``repeats`` (info; warning if a new cycle begins just before the run ends): a cycle starts again. (It is also a
      warning if the schedule ends before the run ends, and then stays at a learning rate of 0 or almost 0, or goes back
      up, as a cosine may.)
    - ``unit-mismatch`` (warning): the scheduler is attached to an epoch event, but its durations look like iterations,
      or the reverse. Or a decay without an end counts iterations and falls to almost 0, but would not fall so far if it
      counted epochs.
    - ``jump`` (warning; info if the value goes down): the value changes by more than ``jump_ratio`` where one phase or
      scheduler follows another. Or the value changes a thousandfold within one event.
    - ``zero-start`` (info; warning if all groups start at 0 for more than one step): the learning rate is 0 at first.
    - ``reads-gpu`` (info): a clock without a ``lag`` reads a tensor on a GPU, or the readings of other ranks. The clock
      waits for the GPU or the other ranks at each iteration.
    - ``faster-scheduler`` (info): a wrapped scheduler of torch steps at 1000 events or more, and a scheduler of lehr
      has the same values over the whole run, except for rounding. The finding says how to construct the scheduler of
      lehr, and states the largest difference.
    - ``unforeseen`` (info): the dry run cannot predict a scheduler, and does not check it; see :func:`dry_run`.

    A wrapped scheduler of torch is checked like a scheduler of lehr. A scheduler that is attached twice or not restored
    gets no findings about its length.

    Args:
        trainer: the engine, or the schedulers of a loop without an engine; see :func:`dry_run`.
        max_epochs: epochs of the whole run, at least 1. Pass None if you give ``max_iters``.
        epoch_length: iterations of an epoch, at least 1.
        metrics: the values of each metric by its name; see :func:`dry_run`.
        max_iters: iterations of the whole run, instead of ``max_epochs``; see :func:`dry_run`.
        gradient_accumulation_steps: iterations for each step of the optimizers, or a mapping from optimizers to these
            numbers; see :func:`dry_run`.
        jump_ratio: a number above 1. A change from one phase to the next is a jump if the ratio of the two values is
            larger than this number.
        progress: a function that is called with a number of simulated iterations; see :func:`dry_run`.
        amounts: the amount that each iteration adds to the clocks of schedulers; see :func:`dry_run`.
        seconds_per_step: how long each iteration takes; see :func:`dry_run`.

    Returns:
        A list of :class:`~lehr.handlers.plans.Finding`, errors first. ``print`` it.

    Raises:
        TypeError: an argument has the wrong type, or an object cannot be copied.
        ValueError: an argument is out of its range.

    Example:
        >>> import torch
        >>> from ignite.engine import Engine, Events
        >>> from lehr.handlers import OneCycleScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> trainer = Engine(lambda engine, batch: optimizer.step())
        >>> lr = OneCycleScheduler(optimizer, "lr", max_value=0.5, total_steps=1000)
        >>> handle = lr.attach(trainer, Events.EPOCH_STARTED)
        >>> findings = check_plan(trainer, max_epochs=10, epoch_length=100)
        >>> [(finding.code, finding.severity, dict(finding.numbers)) for finding in findings]
        [('unit-mismatch', 'warning', {'length': 1000.0, 'events': 10})]
        >>> print(findings)
        1 warning
        warning: unit-mismatch: 'lr': OneCycleScheduler of 'lr' on EPOCH_STARTED
            the schedule takes 1000 events, but it has 10, which are epochs; in a run of 10 epochs and 1000
            iterations, its durations look like iterations
            -> attach it to ITERATION_STARTED, or give durations in epochs
    """
    jump_ratio = arguments.number("jump_ratio", jump_ratio, above=1)
    readings = amounts, seconds_per_step
    run = prepared_run(trainer, max_epochs, epoch_length, metrics, gradient_accumulation_steps, max_iters, readings)
    error = None
    try:
        run.run(progress)
    except Exception as raised:
        error = raised
    checked = CheckedRun(run, unforeseen_by(run), error, jump_ratio)
    with random_state_kept_if(run.calls_user_code):
        findings = _without_follow_ups([finding for check in CHECKS for finding in check(checked)])
    if error is not None and not checked.metric_was_missing:
        message = "; ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])
        suggestion = "keep the schedule in its range; nothing after this event was checked"
        findings.append(Finding("illegal-value", "error", checked.failed_scheduler, message, suggestion))
    return Findings(findings)


def _without_follow_ups(findings: list[Finding]) -> list[Finding]:
    """Return the findings, except findings about the length of a scheduler whose count of events is wrong."""
    counting_wrong = tuple(one.where for one in findings if one.code in ("attached-twice", "not-restored"))
    about_length = ("end-not-reached", "repeats", "unit-mismatch")
    return [one for one in findings if one.code not in about_length or not one.where.endswith(counting_wrong)]
