"""``TorchSteps``: a torch scheduler as a schedule, which can go back to earlier steps and save its state."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.handlers.schedules import StatefulSchedule, arguments
from lehr.handlers.schedules.legacy_text import same_text
from lehr.handlers.targets.group_selection import Group
from lehr.handlers.targets.param_groups import ParamGroups

from .inspection import COUNTS, configuration_of, schedulers_in, takes_metric
from .late_groups import add_group, factor_of, keep_groups, known_groups, rates_of
from .optimizer_values import all_copied, copied, momentum_of, write_momentum
from .remembered_states import Remembered, State, TorchProgress
from .saved_state_checks import PLATEAU_COUNTS, checked_saved, refuse_other_attributes
from .snapshot import Snapshot
from .taking_steps import may_step_by_get_lr, step_by_get_lr, take_steps
from .to_plain_data import is_plain, to_plain


@dataclass(frozen=True, repr=False)
class TorchSteps(StatefulSchedule):
    """The learning rates of a torch scheduler after each call of its ``step()``.

    ``value(i)`` is the learning rate of step i of a plain torch loop, which calls ``scheduler.step()`` once after each
    optimizer step. Events step the scheduler forward. To go back, this schedule restores a copied state of the
    scheduler, or its initial state, and steps from there. During a step, the optimizer has the learning rates of the
    scheduler's last step. After the step, the optimizer has its own learning rates again. If the scheduler cycles a
    momentum, too, each step writes the momentum to the optimizer, as in torch.

    If the scheduler's ``step`` takes a metric, the scheduler steps only when :meth:`observe` passes a metric.

    A param group that is added before event j keeps its own learning rate at event j. The schedule copies the initial
    learning rate, and bounds such as ``max_lrs``, of an earlier group, multiplied by the ratio of the two groups'
    learning rates. From these numbers, torch's own formula computes the group's learning rates after event j.

    Args:
        wrapped: the torch scheduler.
        target: the param groups whose values are read; None for all.

    Shapes: one value for one param group, else a list with one value for each of G groups.

    Raises:
        TypeError: ``step`` requires several arguments; or, when going back, an attribute cannot be copied.
        ValueError: a learning rate is not finite, or ``lr`` and ``initial_lr`` of a group are the same tensor; at an
            event, a group was added although each group has its own function.

    Example:
        >>> import torch
        >>> from torch.optim.lr_scheduler import StepLR
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
        >>> schedule = TorchSteps(StepLR(optimizer, step_size=2, gamma=0.5))
        >>> schedule
        StepLR(step_size=2, gamma=0.5, base_lrs=[0.5])
        >>> [schedule.value(i) for i in (0, 1, 2, 3, 4, 0)]
        [0.5, 0.5, 0.25, 0.25, 0.125, 0.5]
    """

    changed_by_reading, goes_event_by_event = (), True  # reading the same event again takes no step
    wrapped: TorchLRScheduler = field(compare=False)
    target: ParamGroups | None = field(default=None, compare=False)
    configuration: str = field(init=False)
    takes_metric: bool = field(init=False)
    cycles_momentum: bool = field(init=False, compare=False)
    _is_nested: bool = field(init=False, compare=False)
    _writes_all: bool = field(init=False, compare=False)
    _steps_by_get_lr: bool = field(init=False, compare=False)
    _initial: tuple[Snapshot, list[Any], list[Any]] = field(init=False, compare=False)
    _progress: TorchProgress = field(init=False, compare=False)
    _remembered: Remembered = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Copy the state of the scheduler, to go back to it later."""
        schedulers = schedulers_in(self.wrapped)
        self._set(
            takes_metric=takes_metric(self.wrapped),
            cycles_momentum=any(getattr(one, "cycle_momentum", False) for one in schedulers),
            _is_nested=len(schedulers) > 1,
            _writes_all=self.target is None or self.target.writes_all,
        )
        self._set(_steps_by_get_lr=may_step_by_get_lr(self.wrapped) and (self._writes_all or not self.cycles_momentum))
        groups = self.wrapped.optimizer.param_groups[: known_groups(self.wrapped)]
        self._begin(rates_of(groups), [copied(momentum_of(group)) for group in groups] if self.cycles_momentum else [])

    def _begin(self, rates: list[Any], momenta: list[Any]) -> None:
        """Take the present state of the scheduler as the initial state, with the given values of its first groups."""
        self._set(
            configuration=configuration_of(self.wrapped, len(rates)),
            _initial=(Snapshot(self.wrapped), rates, momenta),
            _progress=TorchProgress(all_copied(rates), list(momenta)),
            _remembered=Remembered(),
        )

    @property
    def groups(self) -> int | None:
        """The number of param groups whose values are read; None for one group."""
        count = len(self._read_groups())
        return count if count > 1 else None

    def _read_groups(self) -> list[Group]:
        return self.wrapped.optimizer.param_groups if self.target is None else self.target.groups()

    @property
    def other_params(self) -> tuple[str, ...]:
        """The momentum, if the scheduler cycles it."""
        return ("momentum",) if self.cycles_momentum else ()

    def description(self) -> dict[str, str]:
        """Return the class and attributes of the torch scheduler, as a text."""
        return {"type": "TorchSteps", "configuration": self.configuration}

    def value(self, index: int) -> float | list[float]:
        """Return the learning rates after ``index`` steps; if ``step`` takes a metric, after the steps so far."""
        now = self._progress
        if index != now.position + 1 or not self._steps_by_get_lr or now.lost or not step_by_get_lr(self.wrapped, now):
            self._move_to(index)
            now = self._progress
        elif now.position == self._remembered.next_position:
            self._remember()
        rates, groups = now.rates, self.wrapped.optimizer.param_groups
        if len(rates) < len(groups):
            rates = self._add_groups(index)
        if not self._writes_all:
            chosen = set(map(id, self._read_groups()))
            rates = [rate for rate, group in zip(rates, groups, strict=True) if id(group) in chosen]
        return float(rates[0]) if len(rates) == 1 else list(map(float, rates))

    @property
    def is_metric_driven(self) -> bool:
        """Whether the torch scheduler takes metrics."""
        return self.takes_metric

    def observe(self, metric: float) -> None:
        """Step the torch scheduler with a metric."""
        self._step(1, metric)

    def remembered(self) -> tuple[Snapshot, TorchProgress]:
        """Return a copy of the present state, for :meth:`put_back`."""
        progress = replace(self._progress, rates=all_copied(self._progress.rates))
        return Snapshot(self.wrapped, self._is_nested), progress

    def put_back(self, remembered: tuple[Snapshot, TorchProgress]) -> None:
        """Restore a state from :meth:`remembered`; do nothing if the scheduler's attributes could not be copied."""
        snapshot, progress = remembered
        if snapshot.is_complete:
            snapshot.restore()
            self._set(_progress=progress)

    def _move_to(self, index: int) -> None:
        """Call ``step()`` until an event, or go back to it; if ``step`` takes a metric, do nothing."""
        now = self._progress
        if self.takes_metric or (index == now.position and not now.lost):
            return
        if index == now.position + 1 and not now.lost:
            self._step(1)
        else:
            self._go_to(index)

    def _go_to(self, index: int) -> None:
        """Step to an event; if the event is earlier than the present event, restore an earlier state first."""
        now = self._progress
        went_back = index < now.position or now.lost
        if went_back:
            self._go_back(index)
            now = self._progress
        for event, _, _ in now.added[len(now.rates) - len(self._initial[1]) :]:
            if event <= index:
                self._step_to(event, went_back)
                self._add_group()
        self._step_to(index, went_back)

    def _step_to(self, index: int, went_back: bool) -> None:
        now = self._progress
        while now.from_start and now.position < self._remembered.next_position < index:
            self._step(self._remembered.next_position - now.position, went_back=went_back)
        self._step(index - now.position, went_back=went_back)

    def _add_groups(self, index: int) -> list[Any]:
        """Add the optimizer's new groups to the torch scheduler, and return the learning rates of all groups."""
        now, groups = self._progress, self.wrapped.optimizer.param_groups
        first = len(self._initial[1])
        for group in groups[first + len(now.added) :]:
            rate = copied(group["lr"])
            factor = factor_of(schedulers_in(self.wrapped), now.rates, rate, group)
            now.added = (*now.added, (index, rate, factor))
            self._set(_remembered=Remembered())  # drop the copied states, which lack this group
        for event, _, _ in now.added[len(now.rates) - first :]:
            if event <= index:
                self._add_group()
        return now.rates + [rate for _, rate, _ in now.added[len(now.rates) - first :]]

    def _add_group(self) -> None:
        now, known = self._progress, len(self._progress.rates)
        groups = self.wrapped.optimizer.param_groups[: known + 1]
        _, rate, factor = now.added[known - len(self._initial[1])]
        add_group(schedulers_in(self.wrapped), groups, factor, rate)
        if self.cycles_momentum:
            now.momenta = [*now.momenta, copied(momentum_of(groups[known]))]
        now.rates = [*now.rates, copied(rate)]

    def _step(self, times: int, *metric: float, went_back: bool = False) -> None:
        """Call ``step()`` the given number of times, and write the momenta."""
        now, before = self._progress, self._progress.momenta
        nested, cycles, by_get_lr = self._is_nested, self.cycles_momentum, self._steps_by_get_lr
        take_steps(self.wrapped, now, times, metric, is_nested=nested, cycles_momentum=cycles, by_get_lr=by_get_lr)
        if cycles:
            # Write only a momentum that the step has changed: other code may have written the other momenta.
            pairs = zip(now.momenta, before, strict=True)
            changed = now.momenta if went_back else [None if new is old else new for new, old in pairs]
            try:
                self._write_momenta(changed)
            except BaseException:
                self._write_momenta(changed)
                raise
        now.lost = False  # take_steps() leaves it True, since an interrupt may come before the momenta are written
        if now.position == self._remembered.next_position:
            self._remember()

    def _remember(self) -> None:
        """Remember the present state, if it results from events alone."""
        now = self._progress
        if now.from_start and not self.takes_metric:
            self._remembered.add(self.wrapped, now.rates, now.momenta)

    def _write_momenta(self, momenta: Sequence[Any]) -> None:
        if momenta:
            read = set(map(id, self._read_groups()))
            for group, momentum in zip(self.wrapped.optimizer.param_groups, momenta, strict=False):
                if momentum is not None and id(group) in read:
                    write_momentum(group, momentum)

    def _go_back(self, index: int = 0) -> None:
        """Restore the last copied state that is not later than an event, or the initial state."""
        now = self._progress
        if now.position or now.lost or now.added:
            position, snapshot, rates, momenta = self._remembered.before(index) or State(0, *self._initial)
            now.lost = True  # until the progress fits the restored attributes
            snapshot.restore()
            self._set(_progress=TorchProgress(all_copied(rates), list(momenta), position, added=now.added))

    def state_dict(self) -> dict[str, Any]:
        """Return the number of steps, the attributes of the torch scheduler, and its values in the param groups.

        If an attribute is not plain data, such as a function, the state contains no attributes. Loading a state without
        attributes repeats the steps.
        """
        wrapped, now = self.wrapped.state_dict(), self._progress
        plain = {key: value for key, value in wrapped.items() if is_plain(value)}
        complete = (len(plain) == len(wrapped) or self.takes_metric) and not now.lost
        saved = {"wrapped": plain if complete else {}, "rates": now.rates, "momenta": now.momenta}
        if now.added:
            saved["added"] = list(map(list, now.added))
        return {"configuration": self.configuration, "position": now.position, "saved": to_plain(saved)}

    @contextmanager
    def expecting_added_groups(self, known: Any) -> Iterator[None]:
        """Treat all groups after the first ``known`` groups as added later, while a state is loaded and afterwards.

        A resumed run may construct all groups before it loads the state. After an error, the schedule is unchanged.

        Args:
            known: the number of groups; unless it is an int below the present number of groups, the method does
                nothing.
        """
        before = self.configuration, self._initial, self.remembered()
        if type(known) is int and 0 < known < len(self._initial[1]):
            keep_groups(schedulers_in(self.wrapped), known)
            self._begin(*(values[:known] for values in self._initial[1:]))
        try:
            yield
        except BaseException:
            configuration, initial, remembered = before
            if initial is not self._initial:
                self._set(configuration=configuration, _initial=initial, _remembered=Remembered())
                self.put_back(remembered)
            raise

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a state; if its configuration differs, step this scheduler to the saved event instead.

        Raises:
            TypeError, ValueError: ``state_dict`` is not the state of a torch scheduler like this; nothing is loaded.
        """
        position, wrapped, rates, momenta, added = checked_saved(state_dict, self.wrapped)
        present, first = len(self.wrapped.optimizer.param_groups), len(self._initial[1])
        fits = not wrapped or first <= len(rates) == len(momenta or rates) <= present
        if not fits or first + len(added) > present:
            raise ValueError(f"state_dict must be for {present} param groups, given rates {arguments.shown(rates)}")
        saved = state_dict["configuration"]
        same = isinstance(saved, str) and same_text(saved, self.configuration)
        if not same:
            kept = (*COUNTS, *PLATEAU_COUNTS) if self.takes_metric else ()
            own = self.wrapped.state_dict()
            wrapped = {key: value for key, value in wrapped.items() if key in kept and key in own}
        schedulers, groups = schedulers_in(self.wrapped), self.wrapped.optimizer.param_groups
        known = first + len(added)
        for at in range(known, len(rates)):  # older versions did not save the event at which a group was added
            added = (*added, (position, rates[at], factor_of(schedulers, rates[:at], rates[at], groups[at])))
        rates, momenta = rates[:known], momenta[:known]
        before = self.remembered()
        self._set(_remembered=Remembered())
        try:
            self._go_back()
            self._set(_progress=replace(self._progress, added=added))
            for _ in rates[first:] if wrapped else ():
                self._add_group()
            refuse_other_attributes(self.wrapped, wrapped)
            if wrapped:
                self._load_attributes(wrapped if same else {**self.wrapped.state_dict(), **wrapped})
                self._set(_progress=TorchProgress(rates, momenta, position, added=added, from_start=False))
                self._write_momenta(momenta)
        except BaseException:
            self.put_back(before)
            self._set(_progress=before[1])
            self._write_momenta(before[1].momenta)
            raise

    def _load_attributes(self, wrapped: dict[str, Any]) -> None:
        try:
            self.wrapped.load_state_dict(wrapped)
        except Exception as error:
            raise ValueError(f"state_dict must fit this torch scheduler, given {arguments.shown(wrapped)}") from error
