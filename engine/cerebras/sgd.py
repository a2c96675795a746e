"""SGD with a momentum buffer that begins at zero."""

import torch

from .optimizer import CerebrasOptimizer, State, zeros_like


class SGD(CerebrasOptimizer):
    """SGD whose ``dampening`` holds at each step. torch's first step is not dampened.

    With gradient g, parameter p and buffer b, which begins at 0::

        g = g + weight_decay * p
        b = momentum * b + (1 - dampening) * g
        p = p - lr * b                        or g without momentum, and g + momentum * b with nesterov

    Args:
        params: what to train, as in torch.
        options: ``lr``, ``momentum``, ``dampening``, ``weight_decay``, ``nesterov`` and ``maximize``, all of them.

    Raises:
        ValueError: an option is out of its range, or ``nesterov`` has no momentum, or a dampening.
    """

    def check_group(self, group: State) -> None:
        """Check the options of a param group."""
        super().check_group(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                "nesterov must be False without a momentum or with a dampening, given True with "
                f"momentum={group['momentum']} and dampening={group['dampening']}"
            )

    def initial_state(self, group: State, param: torch.Tensor) -> State:
        """The buffer, where there is a momentum."""
        return {"momentum_buffer": zeros_like(param)} if group["momentum"] != 0 else {}

    def update(self, group: State, param: torch.Tensor, grad: torch.Tensor, state: State) -> None:
        """The formula of the class."""
        grad = grad + param * group["weight_decay"]
        if group["momentum"] != 0:
            buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(grad * (1 - group["dampening"]))
            grad = grad + buffer * group["momentum"] if group["nesterov"] else buffer
        param.sub_(grad * group["lr"])
