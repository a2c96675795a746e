"""The function :func:`preinitialize`, which makes the state of an optimizer before its first step."""

import inspect
from collections import defaultdict
from typing import Any

import torch
from torch.optim import Adagrad, Optimizer

from .cerebras.optimizer import CerebrasOptimizer
from .first_step_hooks import BUFFER, State, negative_zeros, register_first_step_hooks
from .optimizer_from_config import LIBRARY
from .values_in_errors import shown


def preinitialize(optimizer: Optimizer) -> None:
    """Make the state that an optimizer would make at its first step, without making a step.

    Graph capture, a compiled first step and a sharded checkpoint need all tensors of the state before training. The
    code of the optimizer makes these tensors, so training has exactly the same values with and without this call. This
    function does not change parameters, gradients, hyper-parameters or random numbers, and it calls no hook. If it
    raises an error, the optimizer is unchanged. A second call changes nothing.

    - The function keeps existing state, so a resumed run may call it.
    - A parameter that needs no gradient gets no state, as in training. If you unfreeze it, call the function again.
    - The function reads the options that determine the state, such as ``amsgrad``, ``centered``, ``dampening`` or a
      ``momentum`` of 0. If a schedule turns on an option, let the schedule write its first value before you
      call this function.
    - The momentum buffer of SGD starts at -0.0, because a sum of -0.0 and a gradient is exactly the gradient. If the
      gradient of a parameter is sparse at the time of the call, the parameter gets no buffer, because its buffer would
      have to be sparse.
    - Hooks correct the first steps of Rprop, ASGD and SGD, and then remove themselves. Rprop and ASGD store the
      learning rate of a parameter's first step, and SGD does not dampen the first gradient. With ``dampening`` or
      complex parameters, make one step of SGD before you capture a graph. The hooks are neither saved nor copied. So
      call the function again after you copy the optimizer or load a state without steps. A state with a buffer of only
      -0.0 is a state without steps.
    - torch's ``load_state_dict`` converts the state to the dtype of its parameter, but ASGD and NAdam make single
      numbers in float32. So with float64 parameters, these numbers have more digits if you load a state before the
      first step.

    Args:
        optimizer: an optimizer whose class, or base class, :func:`configure_optimizer` knows.

    Raises:
        TypeError: the class of the optimizer is unknown.
        RuntimeError: the optimizer does not support a parameter, such as a complex parameter of Adafactor.

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
    # Inference mode is off, because an optimizer cannot update tensors that were made in inference mode.
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
    """Return the names of the states that have the shape of their parameter, such as ``exp_avg``.

    If you set elements of a parameter to zero permanently, set the same elements of these states to zero.

    Args:
        optimizer: an optimizer whose class, or base class, :func:`configure_optimizer` knows. The optimizer may have no
            state yet.

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
            for shape in [(2, 3), (3,)]:  # Adafactor has a state of this shape only for a vector
                param = torch.nn.Parameter(group["params"][0].new_zeros(shape))
                state, _ = _initial_state(name, optimizer, group, param)
                names |= {key for key, value in state.items() if getattr(value, "shape", None) == shape}
    return sorted(names)


def _known_name(optimizer: Optimizer) -> str:
    """Return the name of the optimizer's class or base class in :func:`configure_optimizer`."""
    if isinstance(optimizer, CerebrasOptimizer):
        return f"cerebras.{type(optimizer).__name__}"
    for base in type(optimizer).__mro__:
        if base.__module__.split(".")[0] == LIBRARY.get(base.__name__, "").split(".")[0]:
            return base.__name__
    raise TypeError(f"optimizer must be one of {', '.join(LIBRARY)}, given {shown(optimizer)}")


def _initial_state(name: str, optimizer: Optimizer, group: State, param: torch.Tensor) -> tuple[State, State]:
    """Return the state that the optimizer's code makes for a parameter, and the options that it adds to the group.

    The code runs on a copy of the optimizer that has only this parameter, with a gradient of zeros. So memory holds
    only one gradient of zeros at a time.
    """
    copied = param.detach()  # a tensor with another gradient and the same elements, which are never written
    copied.grad = torch.zeros_like(copied)
    scratch: Any = object.__new__(type(optimizer))
    scratch.__dict__.update(optimizer.__dict__)
    scratch.state = defaultdict(dict)
    scratch_group = {**group, "params": [copied]}
    if isinstance(optimizer, Adagrad):  # in torch 2.4, the constructor of Adagrad makes the state
        options = inspect.signature(Adagrad).parameters.keys() & group.keys() - {"params"}
        scratch.state.update(Adagrad([copied], **{key: group[key] for key in options}).state)
    if hasattr(scratch, "init_group"):  # pytorch-optimizer and the optimizers of Cerebras use this name
        scratch.init_group(scratch_group)
    else:
        init_group = scratch._init_group
        # ``_init_group`` takes the group, then lists that it fills for the step, and in torch 2.4 the option amsgrad.
        _, *names = inspect.signature(init_group).parameters
        init_group(scratch_group, *(group[one] if one == "amsgrad" else [] for one in names))
    state = {**scratch.state[copied], **_state_of_step(name, group, param)}
    return state, {key: value for key, value in scratch_group.items() if key not in group}


def _state_of_step(name: str, group: State, param: torch.Tensor) -> State:
    """Return the part of the state that the optimizer's code can make only within the first step."""
    if name == "SGD":
        sparse = param.grad is not None and param.grad.layout != torch.strided
        return {BUFFER: negative_zeros(param)} if group["momentum"] != 0 and not sparse else {}
    if name == "Lamb":  # Lamb writes these numbers, and only users read them
        zero = torch.zeros((), dtype=param.dtype.to_real(), device=param.device)
        return {"weight_norm": zero, "adam_norm": zero.clone(), "trust_ratio": torch.ones_like(zero)}
    return {}
