"""The optimizer Adafactor of Cerebras, which has arguments of the paper that torch's Adafactor lacks."""

import torch

from .optimizer import CerebrasOptimizer, State, count_of, zeros_like


class Adafactor(CerebrasOptimizer):
    """Adafactor, which stores the second moment by rows and columns, and may scale a step by the size of the parameter.

    A step computes the following. Here g is the gradient, p is the parameter, and t is the number of the step, counted
    from 1. ``beta2`` is ``1 - t**decay_rate``, and ``rms`` is the root mean square::

        v = beta2 * v + (1 - beta2) * (g**2 + eps[0])       if p has fewer than two dimensions
        v = outer(r, c) / mean(r)                           otherwise, with r and c the means of v over columns and rows
        u = g / sqrt(v)
        u = u / max(1, rms(u) / clip_threshold) * a
        m = beta1 * m + (1 - beta1) * u                     only with beta1, and m replaces u in the next line
        p = p - weight_decay * a * p - u

    The step size a is ``lr``. With ``scale_parameter``, it is ``lr * max(eps[1], rms(p))``. With ``relative_step``,
    ``lr`` must be None, and ``min(0.01, 1 / sqrt(t))`` replaces ``lr``. With ``relative_step`` and ``warmup_init``,
    ``min(1e-6 * t, 1 / sqrt(t))`` replaces ``lr``.

    Args:
        params: the parameters to train, as in torch.
        options: all of ``lr``, ``eps``, ``clip_threshold``, ``decay_rate``, ``beta1``, ``weight_decay``,
            ``scale_parameter``, ``relative_step`` and ``warmup_init``.

    Raises:
        ValueError: an option is out of its range; ``lr`` is given with ``relative_step``, or is None without
            ``relative_step``; or ``warmup_init`` is True without ``relative_step``.

    Source: Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018,
    https://arxiv.org/abs/1804.04235.
    """

    counts = ("step",)
    pairs = ("eps",)
    optional = ("lr", "beta1")

    def check_group(self, group: State) -> None:
        """Check the options of a param group."""
        super().check_group(group)
        if (group["lr"] is None) != group["relative_step"]:
            raise ValueError(
                "lr must be None with relative_step=True, and a number with relative_step=False, given "
                f"lr={group['lr']!r} and relative_step={group['relative_step']}"
            )
        if group["warmup_init"] and not group["relative_step"]:
            raise ValueError("warmup_init must be False if relative_step is False, given True")
        if not group["decay_rate"] <= 0:
            raise ValueError(f"decay_rate must be at most 0, given {group['decay_rate']!r}")
        if not group["clip_threshold"] > 0:
            raise ValueError(f"clip_threshold must be more than 0, given {group['clip_threshold']!r}")

    def initial_state(self, group: State, param: torch.Tensor) -> State:
        """Return the step count, the second moment and, with ``beta1``, the first moment, before the first step."""
        state = {"step": count_of(0.0, param)}
        if group["beta1"] is not None:
            state["exp_avg"] = zeros_like(param)
        if param.dim() < 2:
            return {**state, "exp_avg_sq": zeros_like(param)}
        rows, columns = param.new_zeros(param.shape[:-1]), param.new_zeros(param.shape[:-2] + param.shape[-1:])
        return {**state, "exp_avg_sq_row": rows, "exp_avg_sq_col": columns}

    def update(self, group: State, param: torch.Tensor, grad: torch.Tensor, state: State) -> None:
        """Change the parameter and its state by the formula of the class docstring."""
        step = state["step"].add_(1)
        size = group["lr"]
        if group["relative_step"]:
            size = torch.minimum(1e-6 * step if group["warmup_init"] else step.new_tensor(0.01), step.rsqrt())
        if group["scale_parameter"]:
            size = size * _rms(param).clamp(min=group["eps"][1])
        update = self.scaled(group, grad, state)
        update.div_((_rms(update) / group["clip_threshold"]).clamp(min=1.0)).mul_(size)
        if group["beta1"] is not None:
            update = state["exp_avg"].mul_(group["beta1"]).add_(update * (1 - group["beta1"]))
        param.sub_(param * (size * group["weight_decay"])).sub_(update)

    def scaled(self, group: State, grad: torch.Tensor, state: State) -> torch.Tensor:
        """Update the second moment by a gradient, and return the gradient divided by the root of the second moment."""
        new = state["step"] ** group["decay_rate"]  # 1 - beta2
        square = grad * grad + group["eps"][0]
        if "exp_avg_sq" in state:
            inverse: torch.Tensor = state["exp_avg_sq"].mul_(1 - new).add_(square * new).rsqrt()
            return inverse * grad
        rows: torch.Tensor = state["exp_avg_sq_row"].mul_(1 - new).add_(square.mean(dim=-1) * new)
        columns: torch.Tensor = state["exp_avg_sq_col"].mul_(1 - new).add_(square.mean(dim=-2) * new)
        return (rows / rows.mean(dim=-1, keepdim=True)).rsqrt().unsqueeze(-1) * columns.rsqrt().unsqueeze(-2) * grad


def _rms(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.square().mean().sqrt()
