"""The optimizer Lamb of Cerebras, which does not correct the bias of the moments."""

import torch

from .optimizer import CerebrasOptimizer, State, zeros_like


class Lamb(CerebrasOptimizer):
    """Lamb: the step of Adam, scaled for each parameter by the norm of the parameter.

    If g is the gradient and p the parameter, a step computes::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        u = m / (sqrt(v) + eps) + weight_decay * p
        p = p - lr * u * min(norm(p), 10) / norm(u)

    The ratio of the norms is 1 if one of the norms is 0, or if ``adam`` is True. The bias is not corrected, as in the
    third version of the paper.

    Args:
        params: the parameters to train, as in torch.
        options: all of ``lr``, ``betas``, ``eps``, ``weight_decay`` and ``adam``.

    Source: You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", 2020,
    https://arxiv.org/abs/1904.00962.
    """

    foreign = ("grad_averaging",)

    def initial_state(self, group: State, param: torch.Tensor) -> State:
        """Return the moments before the first step."""
        return {name: zeros_like(param) for name in ("exp_avg", "exp_avg_sq")}

    def update(self, group: State, param: torch.Tensor, grad: torch.Tensor, state: State) -> None:
        """Change the parameter and its state by the formula of the class docstring."""
        beta1, beta2 = group["betas"]
        state["exp_avg"].mul_(beta1).add_(grad * (1 - beta1))
        state["exp_avg_sq"].mul_(beta2).add_(grad * grad * (1 - beta2))
        update = state["exp_avg"] / state["exp_avg_sq"].sqrt().add_(group["eps"])
        update.add_(param * group["weight_decay"])
        if not group["adam"]:
            size, change = param.norm().clamp(max=10), update.norm()
            update.mul_(torch.where((size > 0) & (change > 0), size / change, 1.0))
        param.sub_(update.mul_(group["lr"]))
