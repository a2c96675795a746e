"""The values that one of torch's schedulers gives, as a schedule."""

import inspect
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler as TorchLRScheduler

from . import arguments
from .plain_data import from_plain, is_plain, to_plain
from .private_copies import private_copy
from .schedules import StatefulSchedule
from .schedules.base import describe

# What torch's schedulers change as they go, and what is therefore no part of their configuration.
COUNTS = {"last_epoch", "_step_count", "_last_lr", "_get_lr_called_within_step", "_is_initial"}
PLATEAU_COUNTS = {"best", "num_bad_epochs", "cooldown_counter"}
MOMENTA = ("momentum", "betas")


@dataclass
class TorchProgress:
    """How many steps a torch scheduler has taken, and what it has left in each param group."""

    rates: list[Any]
    momenta: list[dict[str, Any]] = field(default_factory=list)
    position: int = 0


@dataclass(frozen=True, repr=False)
class TorchSteps(StatefulSchedule):
    """The learning rates that a torch scheduler has in effect after so many calls of its ``step()``.

    ``value(i)`` is what torch's own loop has at step i: constructed, then stepped once after each optimizer step.
    The scheduler is stepped forward as events come; to go back it is put to where it was wrapped, and stepped from
    there. While it steps it finds the learning rates that it left itself, whatever others have written since, and
    theirs are put back afterwards. A momentum that it schedules too is written to the optimizer at once, as in torch.

    A scheduler whose ``step`` takes a metric moves when it is given one by :meth:`observe`, and not otherwise.

    Args:
        wrapped: the torch scheduler.

    Shapes: one value for an optimizer of one param group, else one for each of its G groups.

    Example:
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
    _cycles_momentum: bool = field(init=False, compare=False)
    _initial: Any = field(init=False, compare=False)
    _progress: TorchProgress = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Remember where the scheduler stands, to come back to."""
        rates = [_copied(group["lr"]) for group in self.wrapped.optimizer.param_groups]
        self._set(
            configuration=_configuration(self.wrapped),
            takes_metric="metrics" in inspect.signature(self.wrapped.step).parameters,
            _cycles_momentum=any(getattr(part, "cycle_momentum", False) for part in _schedulers_in(self.wrapped)),
            _initial=private_copy((self.wrapped.state_dict(), rates)),
            _progress=TorchProgress(rates),
        )

    @property
    def groups(self) -> int | None:
        """As many as the optimizer had; None for one."""
        return len(self._progress.rates) if len(self._progress.rates) > 1 else None

    def description(self) -> str:
        """The class and attributes of the torch scheduler."""
        return self.configuration

    def value(self, index: int) -> float | list[float]:
        """The learning rates after ``index`` steps; where steps take a metric, after those that were taken."""
        if index != self._progress.position and not self.takes_metric:
            if index < self._progress.position:
                self._go_back()
            self._step(index - self._progress.position)
        rates = self._progress.rates
        return float(rates[0]) if len(rates) == 1 else [float(rate) for rate in rates]

    def observe(self, metric: float) -> None:
        """Step with a metric."""
        self._step(1, metric)

    def _step(self, times: int, *metric: float) -> None:
        optimizer, now, step = self.wrapped.optimizer, self._progress, self.wrapped.step
        groups = optimizer.param_groups
        held = [group["lr"] for group in groups]
        momenta = [{key: group.get(key) for key in MOMENTA} for group in groups] if self._cycles_momentum else ()
        own = (
            now.rates if len(now.rates) == len(held) else now.rates + [_copied(rate) for rate in held[len(now.rates) :]]
        )
        reached, now.position = now.position + times, arguments.MOST  # if a step fails, the next value goes back first
        pretended = _pretend_to_have_stepped(optimizer)
        for group, rate in zip(groups, own, strict=True):
            group["lr"] = rate
        try:
            for _ in range(times):
                step(*metric)  # type: ignore[arg-type]
            now.rates, now.position = [group["lr"] for group in groups], reached
        finally:
            for group, rate in zip(groups, held, strict=True):
                group["lr"] = rate
            if pretended is not None:
                _stop_pretending(optimizer, pretended)
        if momenta:
            now.momenta = [{key: group[key] for key in MOMENTA if group.get(key) is not None} for group in groups]
            for group, before in zip(groups, momenta, strict=True):
                group.update({key: _put(group[key], old) for key, old in before.items() if old is not None})

    def _go_back(self) -> None:
        state, rates = private_copy(self._initial)
        self.wrapped.load_state_dict(state)
        self._set(_progress=TorchProgress(rates))

    def state_dict(self) -> dict[str, Any]:
        """The number of steps, and what the torch scheduler and its entries of the param groups were after them.

        Where the scheduler holds something that is no plain data, such as a function, only the number is kept, and
        loading steps to it.
        """
        wrapped = self.wrapped.state_dict()
        plain = {key: value for key, value in wrapped.items() if is_plain(value)}
        now = self._progress
        complete = len(plain) == len(wrapped) or self.takes_metric
        saved = {"wrapped": plain if complete else {}, "rates": now.rates, "momenta": now.momenta}
        return {"configuration": self.configuration, "position": now.position, "saved": to_plain(saved)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from there; where the configuration differs, from as many steps of this one.

        Raises:
            TypeError, ValueError: it is not such a state; nothing is loaded then.
        """
        if not isinstance(state_dict, Mapping) or set(state_dict) != {"configuration", "position", "saved"}:
            raise ValueError(f"not the state of a torch scheduler: {state_dict!r}")
        position = arguments.whole_number("position", state_dict["position"], at_least=0)
        saved = from_plain(state_dict["saved"])
        own: dict[str, Any] = {
            "wrapped": self.wrapped.state_dict(),
            "rates": self._progress.rates,
            "momenta": self._progress.momenta,
        }
        if not _may_follow(saved, own) or len(saved["rates"]) != len(own["rates"]):
            raise ValueError(f"not the state of such a torch scheduler and {len(own['rates'])} param groups: {saved!r}")
        wrapped = saved["wrapped"]
        if self.configuration != state_dict["configuration"]:
            kept = COUNTS | PLATEAU_COUNTS if self.takes_metric else set()
            wrapped = {key: value for key, value in wrapped.items() if key in kept}
        if not wrapped:
            self._go_back()
            return
        self.wrapped.load_state_dict(dict(own["wrapped"]) | wrapped)
        self._set(_progress=TorchProgress(saved["rates"], saved["momenta"], position))
        for group, momenta in zip(self.wrapped.optimizer.param_groups, saved["momenta"], strict=False):
            group.update({key: _put(value, group[key]) for key, value in momenta.items() if key in group})


def _may_follow(saved: Any, own: Any) -> bool:
    """Whether a value may have become of another one, by its type."""
    if type(saved) is dict and type(own) is dict:
        return not saved or (set(saved) == set(own) and all(_may_follow(saved[key], own[key]) for key in own))
    if type(saved) is list and type(own) is list:
        return all(_may_follow(item, mine) for item, mine in zip(saved, own, strict=False))
    numbers = (int, float, type(None))
    return type(saved) is type(own) or own is None or (isinstance(saved, numbers) and isinstance(own, numbers))


def _step_taken() -> None:
    """What an optimizer's ``step`` is while its scheduler steps, so that torch takes it to have been called."""


_step_taken._wrapped_by_lr_sched = True  # type: ignore[attr-defined]


def _pretend_to_have_stepped(optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """Let a scheduler find that the optimizer has stepped; return what to undo that with, or None if it has.

    torch warns where it has not. In a simulation, or where a GradScaler skipped the step, nothing is lost by that.
    """
    attributes = vars(optimizer)
    if attributes.get("_opt_called") and hasattr(attributes.get("step"), "_wrapped_by_lr_sched"):
        return None
    kept: dict[str, Any] = {name: attributes[name] for name in ("step", "_opt_called") if name in attributes}
    attributes.update(step=_step_taken, _opt_called=True)
    return kept


def _stop_pretending(optimizer: torch.optim.Optimizer, kept: dict[str, Any]) -> None:
    attributes = vars(optimizer)
    del attributes["step"], attributes["_opt_called"]
    attributes.update(kept)


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def _put(new: Any, held: Any) -> Any:
    """What a param group that holds a value is to hold instead; a tensor is filled and stays the same one."""
    if isinstance(held, torch.Tensor):
        held.detach().fill_(float(new))
        return held
    if isinstance(held, tuple | list):
        return type(held)(_put(item, old) for item, old in zip(new, held, strict=True))
    return new


def _schedulers_in(thing: Any) -> Iterator[TorchLRScheduler]:
    """A torch scheduler and those that it is made of."""
    if isinstance(thing, TorchLRScheduler):
        yield thing
        for value in vars(thing).values():
            yield from _schedulers_in(value)
    elif isinstance(thing, list | tuple):
        for item in thing:
            yield from _schedulers_in(item)


def _configuration(thing: Any) -> str:
    """A torch scheduler as its class and attributes, with those of the schedulers in it."""
    if isinstance(thing, TorchLRScheduler):
        attributes = {key: value for key, value in vars(thing).items() if key not in COUNTS | {"optimizer"}}
        added = [
            {key: value for key, value in group.items() if key.startswith(("max_", "min_", "base_"))}
            for group in thing.optimizer.param_groups
        ]
        attributes |= {"param_groups": added} if any(added) else {}
        return f"{type(thing).__name__}({_pairs(attributes, '=')})"
    if isinstance(thing, Counter):
        return _configuration(sorted(thing.elements()))
    if isinstance(thing, dict):
        return f"{{{_pairs(thing, ': ')}}}"
    if isinstance(thing, list | tuple):
        return f"[{', '.join(map(_configuration, thing))}]"
    return repr(thing.tolist()) if isinstance(thing, torch.Tensor) else describe(thing)


def _pairs(items: Mapping[str, Any], sign: str) -> str:
    return ", ".join(f"{key}{sign}{_configuration(value)}" for key, value in items.items())
