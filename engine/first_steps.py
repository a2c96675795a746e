"""What comes right only at a parameter's first step: hooks that wait for it, for :func:`preinitialize`.

Rprop and ASGD take the learning rate of that moment into their state, and a schedule may write another one after the
state was made. SGD copies the gradient into its momentum buffer there, and does not dampen it.
"""

import weakref
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch.optim import ASGD, SGD, Optimizer, Rprop

BUFFER = "momentum_buffer"


def negative_zeros(param: torch.Tensor) -> torch.Tensor:
    """The momentum buffer of an SGD before its first step.

    Zeros that are negative, since ``momentum * -0.0 + gradient`` is the gradient bit for bit. From a positive zero, a
    gradient of -0.0 would come out as 0.0.
    """
    return torch.full_like(param, complex(-0.0, -0.0) if param.is_complex() else -0.0)


def wait_for_first_steps(optimizer: Optimizer) -> None:
    """Hook into the optimizer's steps, if it needs that, until each of its parameters has had one.

    Who waits is read from the state, so a state that was loaded will do. Hooks of an earlier call are replaced.
    """
    if waiting := _WAITING.pop(optimizer, None):
        waiting.remove()
    hooks: FirstSteps | None = None
    if isinstance(optimizer, SGD):
        hooks = UndampedFirstSteps(optimizer)
    elif isinstance(optimizer, ASGD | Rprop):
        hooks = FirstStepsWithTheirLR(optimizer, "eta" if isinstance(optimizer, ASGD) else "step_size")
    if hooks and hooks.params:
        hooks.hook_into(optimizer)
        _WAITING[optimizer] = hooks


class FirstSteps(ABC):
    """Hooks before and after the steps of an optimizer, for as long as any of ``params`` waits for its first one.

    Args:
        optimizer: whose parameters are looked through for those that wait. It is not held.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.params = [
            param
            for group in optimizer.param_groups
            for param in group["params"]
            if self.waits(group, param, optimizer.state.get(param, {}))
        ]
        self._handles: list[Any] = []

    @abstractmethod
    def waits(self, group: dict[str, Any], param: torch.Tensor, state: dict[str, Any]) -> bool:
        """Whether this parameter has had no step, and needs a hook for it."""

    @abstractmethod
    def before(self, optimizer: Optimizer) -> None:
        """Prepare the first step of those in ``params``; which of them have a gradient, a closure decides later."""

    @abstractmethod
    def after(self, optimizer: Optimizer) -> None:
        """Take those out of ``params`` that have had their step."""

    def hook_into(self, optimizer: Optimizer) -> None:
        """Begin."""
        self._handles = [
            optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: self.before(optimizer)),
            optimizer.register_step_post_hook(lambda optimizer, args, kwargs: self._after(optimizer)),
        ]

    def _after(self, optimizer: Optimizer) -> None:
        self.after(optimizer)
        if not self.params:
            self.remove()

    def remove(self) -> None:
        """Stop."""
        for handle in self._handles:
            handle.remove()


_WAITING: "weakref.WeakKeyDictionary[Optimizer, FirstSteps]" = weakref.WeakKeyDictionary()


class FirstStepsWithTheirLR(FirstSteps):
    """The learning rate in the state of an Rprop or ASGD is that of the first step.

    Args:
        optimizer: whose parameters they are.
        key: where the state has it.
    """

    def __init__(self, optimizer: Optimizer, key: str) -> None:
        super().__init__(optimizer)
        self.key = key

    def waits(self, group: dict[str, Any], param: torch.Tensor, state: dict[str, Any]) -> bool:
        """The count of its steps tells."""
        return "step" in state and not state["step"].is_meta and not state["step"]

    def before(self, optimizer: Optimizer) -> None:
        """Write the learning rate that this step is made with."""
        lrs = {param: group["lr"] for group in optimizer.param_groups for param in group["params"]}
        for param in self.params:
            state, lr = optimizer.state.get(param), lrs.get(param)
            if state and lr is not None:
                lr = lr.detach().squeeze() if isinstance(lr, torch.Tensor) else lr
                held = torch.view_as_real(state[self.key]) if state[self.key].is_complex() else state[self.key]
                if _capturing():  # a step count on the device cannot be read now; what is captured looks at it itself
                    held.masked_fill_(state["step"] == 0, lr)
                elif not state["step"]:
                    held.fill_(lr)

    def after(self, optimizer: Optimizer) -> None:
        """Keep those that had no gradient."""
        if not _capturing():
            self.params = [param for param in self.params if self.waits({}, param, optimizer.state.get(param, {}))]


class UndampedFirstSteps(FirstSteps):
    """The first step of an SGD with dampening is torch's own: its buffer is out of the way meanwhile.

    What torch makes instead is copied into the buffer, which then takes its place again. The same is done for complex
    parameters, since there ``momentum * -0.0`` is a positive zero, and infinities times one are not what they were.

    Args:
        optimizer: whose parameters they are.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__(optimizer)
        self._buffers: dict[torch.Tensor, torch.Tensor] = {}

    def waits(self, group: dict[str, Any], param: torch.Tensor, state: dict[str, Any]) -> bool:
        """A buffer that is as it was made tells."""
        return bool(group["dampening"] != 0 or param.is_complex()) and _is_untouched(state.get(BUFFER))

    def before(self, optimizer: Optimizer) -> None:
        """Put the buffers aside, except those that a state was loaded into."""
        if _capturing():
            raise RuntimeError(
                "the first step of an SGD with dampening or complex parameters must not be captured, since it does "
                "what no later step does: make one step before"
            )
        for param in self.params:
            state = optimizer.state.get(param, {})
            if _is_untouched(state.get(BUFFER)):
                self._buffers[param] = state[BUFFER]
                state[BUFFER] = None
            elif state.get(BUFFER, param) is not None:  # None: put aside for a step that raised an error
                self._buffers.pop(param, None)

    def after(self, optimizer: Optimizer) -> None:
        """Put them back."""
        waiting = []
        for param, buffer in self._buffers.items():
            state = optimizer.state[param]
            made = state.get(BUFFER)
            if made is None:
                waiting.append(param)
            elif made.layout != buffer.layout:  # a sparse gradient has a sparse buffer
                continue
            else:
                buffer.copy_(made)
            state[BUFFER] = buffer
        self.params, self._buffers = waiting, {}


def _is_untouched(buffer: torch.Tensor | None) -> bool:
    """Whether a momentum buffer is nothing but negative zeros."""
    if buffer is None or buffer.is_meta or buffer.layout != torch.strided or not buffer.numel():
        return False
    parts = torch.view_as_real(buffer) if buffer.is_complex() else buffer
    return bool(((parts == 0) & parts.signbit()).all())


def _capturing() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
