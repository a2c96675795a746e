"""Looking for what is wrong with a run before it begins."""

from collections.abc import Callable

from ignite.engine import Engine

from lehr.handlers.plans.checks.attachments import (
    history_name_clashes,
    left_behind,
    metrics_elsewhere,
    missing_metrics,
    never_attached,
    unforeseen,
)
from lehr.handlers.plans.checks.checked_run import Check, Review
from lehr.handlers.plans.checks.conflicts import attached_twice, write_conflicts
from lehr.handlers.plans.checks.findings import Finding, Findings
from lehr.handlers.plans.checks.lengths import ends
from lehr.handlers.plans.checks.values import hand_overs, illegal_values, jumps, zero_starts
from lehr.handlers.plans.simulation.values import sampler
from lehr.handlers.schedules import arguments

from .dry_run import Metrics, plan_of, rehearsed

CHECKS: tuple[Check, ...] = (
    write_conflicts,
    attached_twice,
    never_attached,
    history_name_clashes,
    missing_metrics,
    metrics_elsewhere,
    left_behind,
    illegal_values,
    ends,
    jumps,
    hand_overs,
    zero_starts,
    unforeseen,
)


def check_plan(
    trainer: Engine,
    max_epochs: int,
    epoch_length: int,
    metrics: Metrics | None = None,
    *,
    gradient_accumulation_steps: int | None = None,
    jump_ratio: float = 2.0,
    progress: Callable[[int], object] | None = None,
) -> Findings:
    """What is wrong, or looks wrong, with the schedulers of a trainer, for a run of so many epochs.

    It makes a :func:`dry_run` and touches nothing. Each finding has a ``code`` and a ``severity``:

    - ``write-conflict`` (error): two schedulers, or two members of one, write one parameter in turn, or a scheduler of
      ignite does too; which one wins, and where it begins. One that begins where another has ended takes over, and
      is none. (A warning: a scheduler of torch that is not wrapped, and that code of the user's refers to.)
    - ``attached-twice`` (error): one event of an engine calls a scheduler twice, and it moves on twice as fast. (A
      warning: it was attached to one event and then to another one.)
    - ``never-attached`` (warning; info if another one writes the same, or a metric drives it): a scheduler of one of
      the trainer's optimizers that nothing calls, and that is no part of one that is called. The optimizers are those
      that other schedulers or the training step refer to.
    - ``history-name-clash`` (error): two schedulers would record under one name.
    - ``missing-metric`` (error): a metric that the engine whose event it is does not produce, where ignite's metrics
      are attached to it; or that is not there yet at an event. (A warning: one of an evaluator that is read from the
      trainer.)
    - ``not-restored`` (error): the trainer stands within a run, and a scheduler does not, or elsewhere.
    - ``illegal-value`` (error): a value that an optimizer does not allow, such as lr < 0, betas >= 1 or momentum < 0;
      or anything else that a scheduler raises at an event, such as for NaN.
    - ``end-not-reached`` (warning; info if all but a twentieth is done): the run ends before the schedule, whose end
      value is not reached, nor nearly; whose last phase does not begin; or which does not even begin to move.
    - ``repeats`` (info; warning if it is just before the run ends): a cycle begins anew; or (warning) a learning rate
      of 0, or next to 0, is held, or a cosine goes back up after its end.
    - ``unit-mismatch`` (warning): the length of the schedule looks like iterations on an epoch's event, or the reverse;
      or a decay without an end falls to nothing by iterations, as it would not by epochs.
    - ``jump`` (warning; info if it is downward): the value changes by more than ``jump_ratio`` where one phase, or one
      scheduler, takes over from another.
    - ``zero-start`` (info; warning if it is more than one step of all groups): the learning rate begins with 0.
    - ``unforeseen`` (info): what a dry run cannot foresee, and so does not check; see :func:`dry_run`.

    Schedulers of torch are looked at as they are wrapped. One that is attached twice, or not restored, is not told how
    long it should be as well.

    Args:
        trainer: the engine.
        max_epochs: epochs of the whole run.
        epoch_length: iterations of an epoch.
        metrics: the values of each metric, by its name; see :func:`dry_run`.
        gradient_accumulation_steps: how many iterations make one step of the optimizers; see :func:`dry_run`.
        jump_ratio: from which ratio on a change from one phase to the next is a jump, more than 1.
        progress: is called with how many iterations were rehearsed; see :func:`dry_run`.

    Returns:
        A list of :class:`~lehr.handlers.plans.Finding`, the worst first. ``print`` it.

    Raises:
        TypeError: an argument is of the wrong kind; something cannot be copied.
        ValueError: an argument is out of its range.

    Example:
        >>> import torch
        >>> from ignite.engine import Events
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
            it takes 1000 events, and has 10, which are epochs: there are 10 epochs and 1000 iterations, so its
            durations look like iterations
            -> attach it to ITERATION_STARTED, or give durations in epochs
    """
    jump_ratio = arguments.number("jump_ratio", jump_ratio, above=1)
    rehearsal, samples = rehearsed(trainer, max_epochs, epoch_length, metrics, gradient_accumulation_steps)
    error = None
    try:
        rehearsal.run(sampler(samples, progress))
    except Exception as raised:
        error = raised
    review = Review(rehearsal, samples, plan_of(rehearsal, samples), error, jump_ratio)
    findings = _without_consequences([finding for check in CHECKS for finding in check(review)])
    if error is not None and not review.lacked_a_metric:
        findings.append(_of(review.named_failure, error))
    return Findings(findings)


def _without_consequences(findings: list[Finding]) -> list[Finding]:
    """Those that would not be gone if another one were seen to: one that counts wrong comes to a wrong end too."""
    counting_wrong = tuple(one.where for one in findings if one.code in ("attached-twice", "not-restored"))
    of_length = ("end-not-reached", "repeats", "unit-mismatch")
    return [one for one in findings if one.code not in of_length or not one.where.endswith(counting_wrong or "\0")]


def _of(where: str, error: Exception) -> Finding:
    notes: list[str] = getattr(error, "__notes__", [])
    return Finding(
        "illegal-value",
        "error",
        where,
        "; ".join([f"{type(error).__name__}: {error}", *notes]),
        "keep the schedule within its range; nothing beyond this event was checked",
    )
