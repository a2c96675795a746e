"""The resume policy that begins a cool-down at the event at which the checkpoint was saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lehr.handlers.core.duration_unit_checks import EVENTS_OF_RUN, UNITS_OF_CLOCKS
from lehr.handlers.schedules import Cooldown, RunLength, Schedule, arguments
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.duration_texts import EVENTS, quantity
from lehr.handlers.schedules.run_length import COUNTS
from lehr.handlers.schedules.warmup_stable_decay import TYPES

from .adjustment import Adjustment


@dataclass(frozen=True)
class CooldownPolicy:
    """A resume policy that begins a cool-down at the event at which the state was saved.

    The saved run is called the trunk, and the run that cools down is called a branch of the trunk.
    ``scheduler.load_state_dict(state, resume_policy=CooldownPolicy(1000))`` loads the state of a trunk. Let e be the
    event index in the state, d the duration, ``p = min((i - e) / d, 1)``, and ``schedule`` the schedule in the code.
    Event i of the branch then writes::

        value(i) = schedule(i) + (end_value - schedule(i)) * curve(p)

    Event e writes ``schedule(e)``, as the trunk does, and event e + d writes the end value. The trunk and its
    checkpoint stay as they are. The state of the branch contains the cool-down, so a resumed branch continues the
    cool-down without a policy. If you pass the same policy again, nothing changes. A branch cannot begin another
    cool-down. To cool down in another way, load the checkpoint of the trunk.

    The policy acts whether or not the schedule has changed. If the schedule has changed, a :class:`ResumeWarning` shows
    both schedules, and the branch continues at the same event of the new schedule, as with ``"keep_step"``.

    Args:
        duration: the number of events of the cool-down, above 0, or a text such as ``"10%"``, ``"2 epochs"`` or
            ``"2B tokens"``, which ``run`` converts. A percentage is a part of the length of ``run``, not of the trunk.
        curve: ``"linear"``, ``"cosine"``, ``"1-sqrt"``, ``"quadratic"``, ``"log"``, ``"power"`` or ``"exponential"``,
            with the formulas and the default power and ratio of
            :class:`~lehr.handlers.WarmupStableDecayScheduler`.
        end_value: the value at the end of the cool-down and after it. Give one number, or a list with one number for
            each param group. For a scheduler of several parameters, give a mapping such as ``{"lr": 0.0}``. A parameter
            without an end value follows its schedule.
        run: the :class:`~lehr.handlers.RunLength` that converts ``duration`` if it is a text. Keyword only.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: an argument is out of its range. ``load_state_dict`` also raises this error for a schedule with a
            state of its own, such as a plateau, phases or torch's schedulers, for an overridden ``get_param``, and for
            a wrong number of end values.

    Source: Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", 2024,
    https://arxiv.org/abs/2405.18392 (cool-downs from several checkpoints of one run, 1-sqrt).

    Example:
        >>> import torch
        >>> from lehr.handlers import ConstantScheduler
        >>> def make():
        ...     optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        ...     return ConstantScheduler(optimizer, "lr", 0.1)
        >>> trunk, branch = make(), make()
        >>> trunk.seek(500)
        >>> branch.load_state_dict(trunk.state_dict(), resume_policy=CooldownPolicy(4))
        >>> branch.simulate(6, start=499)[:, 0].round(4).tolist()
        [0.1, 0.1, 0.05, 0.0293, 0.0134, 0.0]
    """

    duration: float | str
    curve: str = "1-sqrt"
    end_value: Number | Mapping[str, Number] = 0.0
    run: RunLength | None = field(default=None, kw_only=True, compare=False, repr=False)

    _counts: str | None = field(init=False, default=None, compare=False, repr=False)  # the unit of a converted text

    def __post_init__(self) -> None:
        """Check the arguments."""
        arguments.instance("run", self.run, RunLength | None, "a RunLength or None")
        events: Any = self.duration
        if isinstance(events, str):
            run = self.run or RunLength()
            if quantity("duration", events).unit != EVENTS:
                object.__setattr__(self, "_counts", run.counts)
            events = run.events_of(events, "duration")
        object.__setattr__(self, "duration", arguments.duration("duration", events, above=0))
        arguments.one_of("curve", self.curve, TYPES)
        ends: Any = self.end_value
        if isinstance(ends, Mapping):
            if not ends or not all(isinstance(name, str) for name in ends):
                raise ValueError(
                    f"end_value must have the names of one or more parameters, given {arguments.shown(ends)}"
                )
            checked: Any = {
                name: arguments.number_or_numbers(f"end_value[{name!r}]", value) for name, value in ends.items()
            }
        else:
            checked = arguments.number_or_numbers("end_value", ends)
        object.__setattr__(self, "end_value", checked)


def refuse_other_unit(policy: CooldownPolicy, counted: str | None) -> None:
    """Raise an error if the duration of a cool-down was converted to a unit that the event index does not count.

    Args:
        policy: the policy.
        counted: the unit of the event index, which is the unit of a clock or ``"amounts"``. If None, the event index
            counts events, or its unit is unknown.

    Raises:
        ValueError: the ``counts`` of the policy's run is another unit.
    """
    counts = policy._counts
    if counts is None or counted is None:
        return
    unit = UNITS_OF_CLOCKS.get(counted, counted)
    if counts in EVENTS_OF_RUN or (unit in COUNTS and counts != unit):
        raise ValueError(
            f"run must count what the saved event index counts, which is {unit}, given counts={counts!r}, to which "
            f"the duration of {arguments.shown(policy)} was converted"
        )


def with_cooldown(policy: CooldownPolicy, scheduler: Any, saved: Adjustment, event_index: int) -> Adjustment:
    """Return the adjustment of a scheduler that begins to cool down at an event.

    Args:
        policy: the policy.
        scheduler: the scheduler, with the base values of the state.
        saved: the adjustment of the saved run.
        event_index: the index of the event.

    Raises:
        ValueError: the saved run is in another cool-down; the end values do not fit the scheduler.
    """
    ends, duration = _ends_of(scheduler, policy.end_value), float(policy.duration)
    if saved.cooldown is None:
        return replace(saved, cooldown=(event_index, duration, ends, policy.curve))
    if saved.cooldown[1:] == (duration, ends, policy.curve):
        return saved
    raise ValueError(
        "resume_policy must not begin another cool-down in a branch, whose own cool-down began at event "
        f"{saved.cooldown[0]} and takes {saved.cooldown[1]:g} events: load the state of its trunk, or load this state "
        f"without a policy, given {arguments.shown(policy)}"
    )


def _ends_of(scheduler: Any, ends: Any) -> Any:
    """Check the end values of a scheduler. For a scheduler of several parameters, return a tuple of end values."""
    members = getattr(scheduler, "_members", None)
    names = [scheduler.param_name] if members is None else [member.param_name for member in members]
    if not isinstance(ends, Mapping):
        if len(set(names)) > 1:
            raise ValueError(
                f"end_value must be a mapping such as {{{names[0]!r}: 0.0}} for a scheduler of "
                f"{arguments.shown_names(dict.fromkeys(names))}, given {arguments.shown(ends)}"
            )
        ends = {names[0]: ends}
    if unknown := set(ends) - set(names):
        raise ValueError(
            f"end_value must have names among {arguments.shown_names(dict.fromkeys(names))}, given "
            f"{arguments.shown(sorted(unknown))}"
        )
    own = [_fitting(ends.get(one.param_name), one) for one in members or [scheduler]]
    return own[0] if members is None else tuple(own)


def _fitting(end_value: Any, scheduler: Any) -> Any:
    """Check that an end value is one number or has one number for each group of the scheduler, and return it."""
    schedule: Schedule = getattr(scheduler, "_first_schedule", scheduler._schedule)
    # The values of groups that joined are computed from the first groups.
    has_joined = bool(getattr(scheduler, "_joined", ()))
    groups = schedule.groups or (len(scheduler._base.values) if has_joined else scheduler._num_groups())
    if isinstance(end_value, Sequence) and groups not in (None, len(end_value)):
        raise ValueError(
            f"end_value must be one number or have {groups} values, as many as the param groups of "
            f"{scheduler.param_name!r}, given {arguments.shown(end_value)}"
        )
    if scheduler._number_type is int and end_value is not None:
        arguments.number(f"end_value of {scheduler.param_name!r}", end_value, at_least=1)
    if end_value is not None:
        Cooldown(schedule, 0, 1, end_value)
    return end_value
