"""Makes the whole state of an optimizer before its first step, and tells what is in it."""

import inspect
from collections import defaultdict
from typing import Any

import torch
from torch.optim import Adagrad, Optimizer

from .cerebras.optimizer import CerebrasOptimizer
from .error_text import shown
from .first_step_hooks import BUFFER, State, negative_zeros, register_first_step_hooks
from .optimizer_from_config import LIBRARY


def preinitialize(optimizer: Optimizer) -> None:
    """Make the state that an optimizer would make at its first step, and nothing else.

    Graph capture, a compiled first step and a sharded checkpoint need all tensors of the state before training. The
    optimizer's own code makes them, so training goes on bit for bit as without. Parameters, gradients,
    hyper-parameters and random numbers stay as they are, and no hook is called. After an error the optimizer is as it
    was. A second call changes nothing.

    - Existing state stays, so a resumed run may call this.
    - A parameter that needs no gradient gets no state, as in training. If you unfreeze one, call this again.
    - Options that decide about the state, such as ``amsgrad``, ``centered``, ``dampening`` or a ``momentum`` of 0, are
      read now. If a schedule turns one on, let it write its first value before.
    - The momentum buffer of SGD begins with -0.0, which added to a gradient leaves the gradient as it is. A parameter
      whose gradient is sparse at the time of this call gets no buffer: its buffer would have to be sparse.
    - Hooks help with the first steps of Rprop, ASGD and SGD, and then remove themselves: Rprop and ASGD store the
      learning rate of a parameter's first step, and SGD does not dampen it. With ``dampening`` or complex parameters,
      make one step of SGD before you capture a graph. Hooks are neither saved nor copied. Call this again after you
      copy an optimizer, or load a state without steps; a buffer of -0.0 alone counts as a state without steps.
    - torch's ``load_state_dict`` converts state to the type of its parameter. ASGD and NAdam keep single numbers in
      float32. So with float64 parameters, a state that is loaded before the first step has a few more digits.

    Args:
        optimizer: an optimizer that :func:`configure_optimizer` knows, or one of a subclass.

    Raises:
        TypeError: the class of the optimizer is unknown.
        RuntimeError: the optimizer does not support a parameter, such as a complex one of Adafactor.

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
    # An optimizer cannot update tensors that were made in inference mode.
    with torch.inference_mode(False), torch.no_grad():
        for group in optimizer.param_groups:
            for param in group["params"]:
                existing = optimizer.state.get(param, {})
                if param.requires_grad and all(value is None for value in existing.values()):
                    made[param], options = _initial_state(name, optimizer, group, param)
                    group_options.append((group, options))
    for group, options in group_options:
        for key, value in options.items():
            group.setdefault(key, value)
    for param, state in made.items():
        if state:
            optimizer.state[param] = state
    register_first_step_hooks(optimizer)


def state_names_to_sparsify(optimizer: Optimizer) -> list[str]:
    """List the names of the states with one number for each number of a parameter.

    Where you set numbers of a parameter to zero for good, set the same numbers of these states to zero.

    Args:
        optimizer: an optimizer that :func:`configure_optimizer` knows, or one of a subclass. It may have no state yet.

    Raises:
        TypeError: the class of the optimizer is unknown.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.AdamW(torch.nn.Linear(4, 2).parameters())
        >>> state_names_to_sparsify(optimizer)
        ['exp_avg', 'exp_avg_sq']
    """
    name, names = _known_name(optimizer), set()
    with torch.inference_mode(False), torch.no_grad():
        for group in optimizer.param_groups:
            for shape in [(2, 3), (3,)]:  # Adafactor keeps one number for each number of a vector alone
                param = torch.nn.Parameter(group["params"][0].new_zeros(shape))
                state, _ = _initial_state(name, optimizer, group, param)
                names |= {key for key, value in state.items() if getattr(value, "shape", None) == shape}
    return sorted(names)


def _known_name(optimizer: Optimizer) -> str:
    """The name of the optimizer's class, or of its base class, among those that :func:`configure_optimizer` knows."""
    if isinstance(optimizer, CerebrasOptimizer):
        return f"cerebras.{type(optimizer).__name__}"
    for base in type(optimizer).__mro__:
        if base.__module__.split(".")[0] == LIBRARY.get(base.__name__, "").split(".")[0]:
            return base.__name__
    raise TypeError(f"optimizer must be one of {', '.join(LIBRARY)}, given {shown(optimizer)}")


def _initial_state(name: str, optimizer: Optimizer, group: State, param: torch.Tensor) -> tuple[State, State]:
    """The state that the optimizer's own code makes for a parameter, and the options that it adds to the group.

    The code runs on a copy of the optimizer with one parameter, whose gradient is zeros. So there is never more than
    one such gradient in memory.
    """
    copied = param.detach()  # shares the numbers, which nothing writes, and has its own gradient
    copied.grad = torch.zeros_like(copied)
    scratch: Any = object.__new__(type(optimizer))
    scratch.__dict__.update(optimizer.__dict__)
    scratch.state = defaultdict(dict)
    scratch_group = {**group, "params": [copied]}
    if isinstance(optimizer, Adagrad):  # in torch 2.4, its constructor makes the state
        options = inspect.signature(Adagrad).parameters.keys() & group.keys() - {"params"}
        scratch.state.update(Adagrad([copied], **{key: group[key] for key in options}).state)
    if hasattr(scratch, "init_group"):  # the name in pytorch-optimizer and for Cerebras
        scratch.init_group(scratch_group)
    else:
        init_group = scratch._init_group
        # After the group it takes lists, which it fills for the step, and in torch 2.4 the option amsgrad.
        _, *names = inspect.signature(init_group).parameters
        init_group(scratch_group, *(group[one] if one == "amsgrad" else [] for one in names))
    state = {**scratch.state[copied], **_state_of_step(name, group, param)}
    return state, {key: value for key, value in scratch_group.items() if key not in group}


def _state_of_step(name: str, group: State, param: torch.Tensor) -> State:
    """The state that an optimizer's own code makes only within its first step."""
    if name == "SGD":
        sparse = param.grad is not None and param.grad.layout != torch.strided
        return {BUFFER: negative_zeros(param)} if group["momentum"] != 0 and not sparse else {}
    if name == "Lamb":  # it writes these for its user and does not read them
        zero = torch.zeros((), dtype=param.dtype.to_real(), device=param.device)
        return {"weight_norm": zero, "adam_norm": zero.clone(), "trust_ratio": torch.ones_like(zero)}
    return {}
