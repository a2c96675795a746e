"""The optimizer SGD of Cerebras, whose momentum buffer starts at zero."""

import torch

from .optimizer import CerebrasOptimizer, State, zeros_like


class SGD(CerebrasOptimizer):
    """SGD that applies ``dampening`` at each step. The SGD of torch does not dampen the first step.

    If g is the gradient, p the parameter and b the buffer, which starts at 0, a step computes::

        g = g + weight_decay * p
        b = momentum * b + (1 - dampening) * g
        p = p - lr * b                        g replaces b without momentum, and g + momentum * b with nesterov

    Args:
        params: the parameters to train, as in torch.
        options: all of ``lr``, ``momentum``, ``dampening``, ``weight_decay``, ``nesterov`` and ``maximize``.

    Raises:
        ValueError: an option is out of its range, or ``nesterov`` is True without momentum or with dampening.
    """

    def check_group(self, group: State) -> None:
        """Check the options of a param group."""
        super().check_group(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                "nesterov must be False without momentum or with dampening, given True with "
                f"momentum={group['momentum']} and dampening={group['dampening']}"
            )

    def initial_state(self, group: State, param: torch.Tensor) -> State:
        """Return the momentum buffer before the first step, or an empty state if ``momentum`` is 0."""
        return {"momentum_buffer": zeros_like(param)} if group["momentum"] != 0 else {}

    def update(self, group: State, param: torch.Tensor, grad: torch.Tensor, state: State) -> None:
        """Change the parameter and its state by the formula of the class docstring."""
        grad = grad + param * group["weight_decay"]
        if group["momentum"] != 0:
            buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(grad * (1 - group["dampening"]))
            grad = grad + buffer * group["momentum"] if group["nesterov"] else buffer
        param.sub_(grad * group["lr"])
