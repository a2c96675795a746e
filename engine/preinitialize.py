"""All of an optimizer's state before its first step."""

import inspect
from collections import defaultdict
from typing import Any

import torch
from torch.optim import Optimizer

from .first_steps import BUFFER, negative_zeros, wait_for_first_steps
from .optimizers import LIBRARY

State = dict[str, Any]


def preinitialize(optimizer: Optimizer) -> None:
    """Make the state that an optimizer would make at its first step, and nothing else.

    Graph capture, a compiled first step and a sharded checkpoint need tensors that are there before training. What is
    made is what the optimizer itself begins with, in its own code, so training goes on bit for bit as it would have.
    Parameters, gradients, hyper-parameters and random numbers are not touched, and nobody's hooks are called. After an
    error the optimizer is as it was. Calling it twice is calling it once.

    - State that is there already stays, so a run that was resumed may call this.
    - Parameters that need no gradient get no state, nor do they in training. If you set one free, call this again.
    - Options that decide which state there is are read now, such as ``amsgrad``, ``centered`` and ``dampening``, or
      whether ``momentum`` is 0. If a schedule turns one on, let it write its first value before.
    - SGD's momentum buffer begins with -0.0, the number which added to a gradient leaves it as it is. A parameter whose
      gradient is sparse now gets none, since its buffer is to be sparse.
    - Three first steps are made with the help of hooks of ours, which then go: Rprop and ASGD take the learning rate of
      a parameter's first step into their state, and SGD does not dampen it, so with ``dampening`` (or complex
      parameters) make one step before you capture a graph. Hooks are neither saved nor copied: call this again after
      a state without steps was loaded, or an optimizer was copied. A buffer of -0.0 alone counts as one without steps.
    - torch's ``load_state_dict`` turns state into the type of its parameter. ASGD and NAdam keep single numbers in
      float32: with float64 parameters, a state that is loaded before the first step has some more digits then.

    Args:
        optimizer: one of those that :func:`configure_optimizer` knows, however it was made, or a subclass.

    Raises:
        TypeError: it is another kind of optimizer.
        RuntimeError: it does not take such parameters, as Adafactor takes no complex ones.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(4, 2)
        >>> optimizer = torch.optim.AdamW(model.parameters())
        >>> preinitialize(optimizer)
        >>> sorted(optimizer.state[model.weight])
        ['exp_avg', 'exp_avg_sq', 'step']
        >>> optimizer.state[model.bias]["step"]
        tensor(0.)
    """
    name = _known_name(optimizer)
    made: dict[torch.Tensor, State] = {}
    group_options: list[tuple[State, State]] = []
    # Tensors made in inference mode could not be updated outside of it.
    with torch.inference_mode(False), torch.no_grad():
        for group in optimizer.param_groups:
            for param in group["params"]:
                held = optimizer.state.get(param, {})
                if param.requires_grad and all(value is None for value in held.values()):
                    made[param], options = _initial_state(name, optimizer, group, param)
                    group_options.append((group, options))
    for group, options in group_options:
        for key, value in options.items():
            group.setdefault(key, value)
    for param, state in made.items():
        if state:
            optimizer.state[param] = state
    wait_for_first_steps(optimizer)


def _known_name(optimizer: Optimizer) -> str:
    """The name of the optimizer, or of the one that it is a subclass of: those whose state is known to be complete."""
    for kind in type(optimizer).__mro__:
        if kind.__module__.split(".")[0] == LIBRARY.get(kind.__name__, "").split(".")[0]:
            return kind.__name__
    raise TypeError(f"optimizer must be one of {', '.join(LIBRARY)}, given {optimizer!r}")


def _initial_state(name: str, optimizer: Optimizer, group: State, param: torch.Tensor) -> tuple[State, State]:
    """The state that the optimizer's own code makes for a parameter, and the options which it adds to the group.

    It works on a stand-in for the parameter, with a gradient of zeros, in a stand-in for the optimizer. One parameter
    at a time, so that no more than one such gradient is in memory.
    """
    stand_in = param.detach()  # shares the numbers, which nobody writes, and has a gradient of its own
    stand_in.grad = torch.zeros_like(stand_in)
    scratch: Any = object.__new__(type(optimizer))
    scratch.__dict__.update(optimizer.__dict__)
    scratch.state = defaultdict(dict)
    scratch_group = {**group, "params": [stand_in]}
    if hasattr(scratch, "init_group"):  # as pytorch-optimizer calls it
        scratch.init_group(scratch_group)
    else:
        # Into the lists that it takes after the group it puts what it finds, for the step.
        lists = list(inspect.signature(scratch._init_group).parameters)[1:]
        scratch._init_group(scratch_group, *([] for _ in lists))
    state = {**scratch.state[stand_in], **_made_while_stepping(name, group, param)}
    return state, {key: value for key, value in scratch_group.items() if key not in group}


def _made_while_stepping(name: str, group: State, param: torch.Tensor) -> State:
    """What an optimizer's own code does not make until it computes a step."""
    if name == "SGD":
        sparse = param.grad is not None and param.grad.layout != torch.strided
        return {BUFFER: negative_zeros(param)} if group["momentum"] != 0 and not sparse else {}
    if name == "Lamb":  # which shows these to its user and does not read them
        zero = torch.zeros((), dtype=param.dtype.to_real(), device=param.device)
        return {"weight_norm": zero, "adam_norm": zero.clone(), "trust_ratio": torch.ones_like(zero)}
    return {}
