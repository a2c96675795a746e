"""Hooks that correct the first step of each parameter after :func:`preinitialize`, and are removed afterwards.

Rprop and ASGD store the learning rate of a parameter's first step in the state, but a schedule may write this learning
rate after :func:`preinitialize`. SGD copies the first gradient into the momentum buffer without dampening.
"""

import weakref
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch.optim import ASGD, SGD, Optimizer, Rprop

BUFFER = "momentum_buffer"

State = dict[str, Any]


def negative_zeros(param: torch.Tensor) -> torch.Tensor:
    """Return the momentum buffer of an SGD before its first step.

    The zeros are negative, because ``momentum * -0.0 + gradient`` is the gradient bit for bit. A positive zero would
    turn a gradient of -0.0 into 0.0.
    """
    return torch.full_like(param, complex(-0.0, -0.0) if param.is_complex() else -0.0)


def register_first_step_hooks(optimizer: Optimizer) -> None:
    """Register the hooks that an optimizer needs until each of its parameters has made a step.

    The state of a parameter shows whether the parameter has made a step, even if the state was loaded. A second call
    replaces the hooks of the first call.
    """
    if registered := _REGISTERED.pop(optimizer, None):
        registered.remove()
    hooks: FirstStepHooks | None = None
    if isinstance(optimizer, SGD):
        hooks = UndampedFirstSteps(optimizer)
    elif isinstance(optimizer, ASGD | Rprop):
        hooks = FirstLearningRates(optimizer)
    if hooks and hooks.params:
        hooks.register(optimizer)
        _REGISTERED[optimizer] = hooks


class FirstStepHooks(ABC):
    """Hooks before and after each step of an optimizer, until all of ``params`` have made their first step.

    Args:
        optimizer: the optimizer. The hooks hold no reference to the optimizer.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.params = [
            param
            for group in optimizer.param_groups
            for param in group["params"]
            if self.needs_hook(group, param, optimizer.state.get(param, {}))
        ]
        self._handles: list[Any] = []

    @abstractmethod
    def needs_hook(self, group: State, param: torch.Tensor, state: State) -> bool:
        """Return whether a parameter has not made a step yet, and its first step needs a hook."""

    @abstractmethod
    def before_step(self, optimizer: Optimizer) -> None:
        """Prepare the first step of all ``params``, even of parameters that will have no gradient in this step."""

    @abstractmethod
    def after_step(self, optimizer: Optimizer) -> None:
        """Remove the parameters that have made their first step from ``params``."""

    def register(self, optimizer: Optimizer) -> None:
        """Register the hooks with the optimizer."""

        def after(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
            self.after_step(optimizer)
            if not self.params:
                self.remove()

        self._handles = [
            optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: self.before_step(optimizer)),
            optimizer.register_step_post_hook(after),
        ]

    def remove(self) -> None:
        """Remove the hooks from the optimizer."""
        for handle in self._handles:
            handle.remove()


_REGISTERED: weakref.WeakKeyDictionary[Optimizer, FirstStepHooks] = weakref.WeakKeyDictionary()


class FirstLearningRates(FirstStepHooks):
    """Hooks that write the learning rate of the first step to the state of ASGD (``eta``) or Rprop (``step_size``)."""

    def needs_hook(self, group: State, param: torch.Tensor, state: State) -> bool:
        """Return whether the step count in the state is 0."""
        return "step" in state and not state["step"].is_meta and not state["step"]

    def before_step(self, optimizer: Optimizer) -> None:
        """Write the learning rate of this step to the state of each parameter that has made no step."""
        key = "eta" if isinstance(optimizer, ASGD) else "step_size"
        lrs = {param: group["lr"] for group in optimizer.param_groups for param in group["params"]}
        for param in self.params:
            state, lr = optimizer.state.get(param), lrs.get(param)
            if state and lr is not None:
                lr = lr.detach().squeeze() if isinstance(lr, torch.Tensor) else lr
                stored = torch.view_as_real(state[key]) if state[key].is_complex() else state[key]
                # While a graph is captured, Python cannot read the step count on the device. So the graph compares the
                # step count with 0 at each replay.
                if _is_capturing():
                    stored.masked_fill_(state["step"] == 0, lr)
                elif not state["step"]:
                    stored.fill_(lr)

    def after_step(self, optimizer: Optimizer) -> None:
        """Keep only the parameters that had no gradient, and thus made no step."""
        if not _is_capturing():
            self.params = [param for param in self.params if self.needs_hook({}, param, optimizer.state.get(param, {}))]


class UndampedFirstSteps(FirstStepHooks):
    """Hooks that remove the buffers of :func:`preinitialize` during the first step of an SGD with dampening.

    In this step, torch makes a new buffer, which is then copied into the buffer of :func:`preinitialize`. Complex
    parameters need these hooks without dampening, too. For complex numbers, ``momentum * -0.0`` is a positive zero, and
    an infinity changes when it is multiplied by 1.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__(optimizer)
        self._buffers: dict[torch.Tensor, torch.Tensor] = {}

    def needs_hook(self, group: State, param: torch.Tensor, state: State) -> bool:
        """Return whether the parameter needs the hooks and its buffer is unchanged since :func:`preinitialize`."""
        return bool(group["dampening"] != 0 or param.is_complex()) and _is_untouched(state.get(BUFFER))

    def before_step(self, optimizer: Optimizer) -> None:
        """Take the buffers out of the state, except for buffers that a loaded state has changed."""
        if _is_capturing():
            raise RuntimeError(
                "the first step of an SGD with dampening or complex parameters must not be captured, because later "
                "steps differ from it; make one step before the capture"
            )
        for param in self.params:
            state = optimizer.state.get(param, {})
            if _is_untouched(state.get(BUFFER)):
                self._buffers[param] = state[BUFFER]
                state[BUFFER] = None
            elif state.get(BUFFER, param) is not None:  # the buffer is None after a step that raised an error
                self._buffers.pop(param, None)

    def after_step(self, optimizer: Optimizer) -> None:
        """Put the buffers back into the state."""
        self.params = []
        for param, buffer in self._buffers.items():
            state = optimizer.state[param]
            made = state.get(BUFFER)
            if made is None:
                self.params.append(param)
            elif made.layout != buffer.layout:  # the buffer of a sparse gradient is sparse
                continue
            else:
                buffer.copy_(made)
            state[BUFFER] = buffer
        self._buffers = {}


def _is_untouched(buffer: torch.Tensor | None) -> bool:
    """Return whether a momentum buffer has only negative zeros."""
    if buffer is None or buffer.is_meta or buffer.layout != torch.strided or not buffer.numel():
        return False
    parts = torch.view_as_real(buffer) if buffer.is_complex() else buffer
    return bool(((parts == 0) & parts.signbit()).all())


def _is_capturing() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()
