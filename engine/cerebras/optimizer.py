"""The base class of the optimizers of Cerebras. These optimizers update one parameter at a time."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from lehr.engine.values_in_errors import shown

from .options import check_option_values
from .saved_state_checks import check_is_state, check_saved

State = dict[str, Any]


class CerebrasOptimizer(Optimizer):
    """The base class of optimizers whose updates differ from the updates of torch's optimizers.

    A subclass implements two methods: :meth:`initial_state` returns the state of a parameter before its first step, and
    :meth:`update` changes a parameter. Single numbers in the state are float64 tensors, or float32 tensors if the
    device has no float64.

    Args:
        params: the parameters to train, as in torch: tensors, pairs of a name and a tensor, or a dictionary for each
            param group.
        options: all options of the optimizer.

    Raises:
        TypeError: a parameter is complex, or an option has the wrong type.
        ValueError: an option is out of its range.
    """

    counts: tuple[str, ...] = ()
    """The names of the single numbers in the state."""
    pairs: tuple[str, ...] = ("betas",)
    """The names of the options that are two numbers."""
    optional: tuple[str, ...] = ()
    """The names of the options that may be None."""
    foreign: tuple[str, ...] = ()
    """The names of options that an optimizer of the same name has in another library, but not here."""

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(params, options)

    @abstractmethod
    def initial_state(self, group: State, param: torch.Tensor) -> State:
        """Return the state of a parameter before its first step."""

    @abstractmethod
    def update(self, group: State, param: torch.Tensor, grad: torch.Tensor, state: State) -> None:
        """Change a parameter and its state by one step. Autograd is off during this call."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a param group.

        Raises:
            TypeError, ValueError: an option of the group is wrong; see the class. If this error is raised, the group is
                not added.
        """
        super().add_param_group(param_group)
        try:
            self.check_group(self.param_groups[-1])
        except Exception:
            del self.param_groups[-1]
            raise

    def check_group(self, group: State) -> None:
        """Check the parameters and the options of a param group."""
        for param in group["params"]:
            if param.is_complex():
                raise TypeError(f"params of {type(self).__name__} must be real, given {param.dtype}")
        check_option_values(group, self.defaults, self.pairs, self.optional)

    def init_group(self, group: State) -> None:
        """Make the state of each parameter in a group, if the parameter has a gradient and no state yet."""
        for param in group["params"]:
            if param.grad is not None and not self.state[param]:
                self.state[param].update(self.initial_state(group, param))

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step, and return the loss of ``closure`` or None.

        Args:
            closure: a function that computes the gradients again, and returns the loss.

        Raises:
            RuntimeError: a gradient is sparse.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self.init_group(group)
            for param in group["params"]:
                if param.grad is None:
                    continue
                if param.grad.layout != torch.strided:
                    raise RuntimeError(f"gradients of {type(self).__name__} must not be sparse")
                grad = -param.grad if group.get("maximize") else param.grad
                self.update(group, param, grad, self.state[param])
        return loss

    def check_options(self, groups: Iterable[State]) -> None:
        """Check that saved param groups have the options of this class.

        Raises:
            ValueError: the param groups come from another optimizer.
        """
        for saved in groups:
            missing, foreign = sorted(self.defaults.keys() - saved.keys()), sorted(saved.keys() & set(self.foreign))
            if missing or foreign:
                option = f"without the option {missing[0]!r}" if missing else f"with the option {foreign[0]!r}"
                raise ValueError(
                    f"the state must be a state of cerebras.{type(self).__name__}, given one {option} in its param "
                    "groups"
                )

    def converted(self, state_dict: State) -> State:
        """Check and return a saved state. A subclass may convert the state of another class before the check.

        Raises:
            ValueError: the state comes from another optimizer.
        """
        self.check_options(state_dict["param_groups"])
        for saved, group in zip(state_dict["param_groups"], self.param_groups, strict=False):
            try:
                self.check_group({**saved, "params": group["params"]})
            except (TypeError, ValueError) as error:
                raise type(error)(f"the state must have options that the optimizer allows: {error}") from None
            for id, param in zip(saved["params"], group["params"], strict=False):
                given = state_dict["state"].get(id, {})
                own = self.initial_state(saved, param) if given else {}
                if not own.keys() <= given.keys():
                    raise ValueError(
                        f"the state must be a state of cerebras.{type(self).__name__}, with {sorted(own)} for each "
                        f"parameter, given one with {shown(sorted(given))}"
                    )
                for name, value in own.items():
                    check_saved(name, given[name], value)
        return state_dict

    def load_state_dict(self, state_dict: State) -> None:
        """Load a state of :meth:`state_dict`. The saved options replace the present options, as in torch.

        Raises:
            TypeError, ValueError: ``state_dict`` is not the state of this optimizer. If this error is raised, nothing
                is loaded.
        """
        check_is_state(state_dict)
        state_dict = self.converted(dict(state_dict))
        super().load_state_dict(state_dict)
        # torch converts all numbers to the dtype of their parameter, which may be too inexact for a count.
        ids = [id for group in state_dict["param_groups"] for id in group["params"]]
        params = [param for group in self.param_groups for param in group["params"]]
        for id, param in zip(ids, params, strict=True):
            for name in self.counts:
                if name in state_dict["state"].get(id, {}):
                    self.state[param][name] = count_of(float(state_dict["state"][id][name]), param)


def count_of(value: float, param: torch.Tensor) -> torch.Tensor:
    """Return a tensor with a single number, for the state of a parameter."""
    dtype = torch.float32 if param.device.type == "mps" else torch.float64
    return torch.tensor(value, dtype=dtype, device=param.device)


def zeros_like(param: torch.Tensor) -> torch.Tensor:
    """Return zeros with the shape and the memory format of a parameter."""
    return torch.zeros_like(param, memory_format=torch.preserve_format)
