"""A torch scheduler as a schedule."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from operator import is_not
from typing import Any

from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from lehr.handlers.schedules import StatefulSchedule, arguments
from lehr.handlers.schedules.saved_text import same_text
from lehr.handlers.targets.group_selection import Group

from .attributes import (
    COUNTS,
    PLATEAU_COUNTS,
    Snapshot,
    attributes_before_marking,
    checked_saved,
    configuration_of,
    mark_as_stepped,
    refuse_other_attributes,
    schedulers_in,
    takes_metric,
    unmark_as_stepped,
)
from .momentum import copied, filled, momentum_of, set_momentum
from .plain_data import from_plain, is_plain, to_plain


@dataclass
class TorchProgress:
    """The number of steps of a torch scheduler, and its learning rate and momentum in each param group."""

    rates: list[Any]
    momenta: list[Any]
    position: int = 0
    lost: bool = False  # a step failed half-way


@dataclass(frozen=True, repr=False)
class TorchSteps(StatefulSchedule):
    """The learning rates of a torch scheduler after each call of its ``step()``.

    ``value(i)`` is the learning rate of step i of a plain torch loop, which calls ``scheduler.step()`` once after each
    optimizer step. Events step the scheduler forward. To go back, it returns to the state in which it was wrapped, and
    steps from there. While it steps, the optimizer holds the learning rates of its last step; afterwards the optimizer
    holds again what others have written. If it schedules a momentum, too, it writes that to the optimizer at once, as
    in torch.

    A scheduler whose ``step`` takes a metric only steps when :meth:`observe` passes one.

    Args:
        wrapped: the torch scheduler.

    Shapes: one value for an optimizer with one param group, else a list with one value for each of its G groups.

    Raises:
        TypeError: its ``step`` has several required arguments; an attribute cannot be copied, which going back needs.

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

    wrapped: TorchLRScheduler = field(compare=False)
    configuration: str = field(init=False)
    takes_metric: bool = field(init=False)
    cycles_momentum: bool = field(init=False, compare=False)
    _initial: tuple[Snapshot, list[Any], list[Any]] = field(init=False, compare=False)
    _progress: TorchProgress = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Copy the state of the scheduler, to go back to it later."""
        self._set(
            configuration=configuration_of(self.wrapped),
            takes_metric=takes_metric(self.wrapped),
            cycles_momentum=any(getattr(one, "cycle_momentum", False) for one in schedulers_in(self.wrapped)),
        )
        groups = self.wrapped.optimizer.param_groups
        rates, momenta = [copied(group["lr"]) for group in groups], self._momenta_of(groups)
        self._set(
            _initial=(Snapshot(self.wrapped), list(map(copied, rates)), momenta),
            _progress=TorchProgress(rates, momenta),
        )

    def _momenta_of(self, groups: list[Group]) -> list[Any]:
        """The momentum, or ``betas[0]``, of each group, if the scheduler writes it."""
        return [copied(momentum_of(group)) for group in groups] if self.cycles_momentum else []

    @property
    def groups(self) -> int | None:
        """The number of param groups of the optimizer; None for one."""
        count = len(self.wrapped.optimizer.param_groups)
        return count if count > 1 else None

    @property
    def other_params(self) -> tuple[str, ...]:
        """The momentum, if the scheduler cycles it."""
        return ("momentum",) if self.cycles_momentum else ()

    def description(self) -> dict[str, str]:
        """Describes the torch scheduler by its class and attributes, as a text."""
        return {"type": "TorchSteps", "configuration": self.configuration}

    def value(self, index: int) -> float | list[float]:
        """The learning rates after ``index`` steps; if ``step`` takes a metric, after the steps so far."""
        now = self._progress
        went_back = False
        if (index != now.position or now.lost) and not self.takes_metric:
            if index < now.position or now.lost:
                self._go_back()
                now, went_back = self._progress, True
            if index != now.position + 1 or went_back or not self._step_undisturbed():
                self._step(index - now.position, went_back=went_back)
        groups, rates = self.wrapped.optimizer.param_groups, now.rates
        if len(rates) < len(groups):  # some have been added, and have what they were added with
            rates = now.rates = rates + [copied(group["lr"]) for group in groups[len(rates) :]]
        return float(rates[0]) if len(rates) == 1 else list(map(float, rates))

    @property
    def is_metric_driven(self) -> bool:
        """Whether the torch scheduler takes metrics."""
        return self.takes_metric

    def observe(self, metric: float) -> None:
        """Step with a metric."""
        self._step(1, metric)

    def remembered(self) -> tuple[Snapshot, TorchProgress]:
        """A copy of the present state, for :meth:`put_back`."""
        return Snapshot(self.wrapped), replace(self._progress)

    def put_back(self, remembered: tuple[Snapshot, TorchProgress]) -> None:
        """Restore that state; a scheduler with attributes that cannot be copied stays as it is."""
        snapshot, progress = remembered
        if snapshot.is_complete:
            snapshot.restore()
            self._set(_progress=progress)

    def _step_undisturbed(self) -> bool:
        """Take one step faster, if nobody has changed the learning rates or the optimizer since the last step.

        Returns:
            Whether the step was taken.
        """
        optimizer, now = self.wrapped.optimizer, self._progress
        groups = optimizer.param_groups
        held = [group["lr"] for group in groups]
        is_disturbed = len(held) != len(now.rates) or any(map(is_not, held, now.rates))
        if is_disturbed or self.cycles_momentum or attributes_before_marking(optimizer) is not None:
            return False

        def put_back() -> None:
            for group, rate in zip(groups, held):  # noqa: B905 -- strict doubles the time
                group["lr"] = rate

        now.lost = True
        try:
            self.wrapped.step()
            rates = [group["lr"] for group in groups]
        finally:
            try:
                put_back()
            except BaseException:  # an interrupt, such as Ctrl-C
                put_back()
                raise
        now.rates, now.position, now.lost = rates, now.position + 1, False
        return True

    def _step(self, times: int, *metric: float, went_back: bool = False) -> None:
        optimizer, now, step = self.wrapped.optimizer, self._progress, self.wrapped.step
        groups = optimizer.param_groups
        held = [group["lr"] for group in groups]
        added = [copied(rate) for rate in held[len(now.rates) :]] if len(held) > len(now.rates) else []
        momenta = [momentum_of(group) for group in groups] if self.cycles_momentum else []
        hidden, before, position = attributes_before_marking(optimizer), now.momenta, now.position

        def put_back() -> None:
            for group, rate in zip(groups, held):  # noqa: B905 -- strict doubles the time
                group["lr"] = rate
            for group, momentum in zip(groups, momenta, strict=False):
                set_momentum(group, momentum)
            if hidden is not None:
                unmark_as_stepped(optimizer, hidden)

        def write_momenta() -> None:
            for at, (group, new) in enumerate(zip(groups, now.momenta, strict=False)):
                # Others may write the momentum while this scheduler does not.
                if went_back or at >= len(before) or new is not before[at]:
                    set_momentum(group, filled(new, momentum_of(group)))

        now.lost = not self.takes_metric
        try:
            for group, momentum in zip(groups, before, strict=False):
                set_momentum(group, momentum)
            for group, rate in zip(groups, now.rates + added):  # noqa: B905
                group["lr"] = rate
            if hidden is not None:
                mark_as_stepped(optimizer)
            for _ in range(times):
                step(*metric)  # type: ignore[arg-type]
            rates = [group["lr"] for group in groups]
            if added:  # a group that is new begins with the rate that it was added with
                rates[-len(added) :] = [copied(rate) for rate in held[-len(added) :]]
            new_momenta = [momentum_of(group) for group in groups] if momenta else []
            now.rates, now.momenta, now.position, now.lost = rates, new_momenta, position + times, False
        finally:
            try:
                put_back()
            except BaseException:  # an interrupt, such as Ctrl-C
                put_back()
                raise
        try:
            write_momenta()
        except BaseException:
            write_momenta()
            raise

    def _write_momenta(self) -> None:
        for group, momentum in zip(self.wrapped.optimizer.param_groups, self._progress.momenta, strict=False):
            set_momentum(group, filled(momentum, momentum_of(group)))

    def _go_back(self) -> None:
        if self._progress.position == 0 and not self._progress.lost:
            return
        snapshot, rates, momenta = self._initial
        snapshot.restore()
        self._set(_progress=TorchProgress(list(map(copied, rates)), list(momenta)))

    def state_dict(self) -> dict[str, Any]:
        """The number of steps, the attributes of the torch scheduler, and its values in the param groups.

        If an attribute is not plain data, such as a function, the state keeps the number of steps alone. Loading it
        repeats the steps.
        """
        wrapped = self.wrapped.state_dict()
        plain = {key: value for key, value in wrapped.items() if is_plain(value)}
        complete = (len(plain) == len(wrapped) or self.takes_metric) and not self._progress.lost
        saved = {
            "wrapped": plain if complete else {},
            "rates": self._progress.rates,
            "momenta": self._progress.momenta,
        }
        return {"configuration": self.configuration, "position": self._progress.position, "saved": to_plain(saved)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Load a state; if the configuration differs, take as many steps of this scheduler instead.

        Raises:
            TypeError, ValueError: this is not the state of such a scheduler; nothing is loaded.
        """
        if not isinstance(state_dict, Mapping) or set(state_dict) != {"configuration", "position", "saved"}:
            raise ValueError(f"not the state of a torch scheduler: {arguments.shown(state_dict)}")
        position = arguments.whole_number("position", state_dict["position"], at_least=0)
        wrapped, rates, momenta = checked_saved(from_plain(state_dict["saved"]))
        for key in wrapped:
            if key == "optimizer" or callable(getattr(type(self.wrapped), key, None)):
                raise ValueError(
                    f"not the attributes of a torch scheduler, since {key!r} cannot be one: {arguments.shown(wrapped)}"
                )
        saved = state_dict["configuration"]
        same = isinstance(saved, str) and same_text(saved, self.configuration)
        if not same:
            kept = (*COUNTS, *PLATEAU_COUNTS) if self.takes_metric else ()
            own = self.wrapped.state_dict()
            wrapped = {key: value for key, value in wrapped.items() if key in kept and key in own}
        refuse_other_attributes(self.wrapped, wrapped)
        if wrapped and not len(rates) == len(momenta or rates) == len(self.wrapped.optimizer.param_groups):
            count = len(self.wrapped.optimizer.param_groups)
            raise ValueError(f"not the state of a torch scheduler of {count} param groups: {arguments.shown(rates)}")
        before, progress = Snapshot(self.wrapped), self._progress
        try:
            self._go_back()
            if wrapped:
                self.wrapped.load_state_dict(wrapped if same else {**self.wrapped.state_dict(), **wrapped})
                self._set(_progress=TorchProgress(rates, momenta, position))
                self._write_momenta()
        except Exception as error:
            before.restore()
            self._set(_progress=progress)
            self._write_momenta()
            raise ValueError(f"not the state of such a torch scheduler: {arguments.shown(state_dict)}") from error
