"""The optimizers Adam and AdamW of Cerebras, which add ``eps`` before they correct the bias of the second moment."""

import warnings

import torch

from .optimizer import CerebrasOptimizer, State, count_of, zeros_like

FROM_TORCH = "foreach"  # an option that only the states of torch's optimizers have
OF_TORCH = (FROM_TORCH, "fused", "capturable", "differentiable", "decoupled_weight_decay")
OF_CEREBRAS = "l2_regularization_rate"  # an option that only the states of Cerebras' own Adam and AdamW have


class AdamW(CerebrasOptimizer):
    """Adam with a weight decay that does not change the moments.

    If g is the gradient, p the parameter and t the step, counted from 1, a step computes::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        c = sqrt(1 - beta2**t) / (1 - beta1**t)     c = 1 if correct_bias is False
        p = p - lr * (c * m / (sqrt(v) + eps) + weight_decay * p)

    torch adds ``eps`` to the root after the correction of the bias:
    ``m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps)``. With ``amsgrad``, the largest v so far replaces v in the
    last line. The powers of the betas are computed as products over the steps, so a schedule may change the betas.

    :meth:`load_state_dict` reads the states of this class and of Cerebras. It also reads the states of Hugging Face's
    AdamW, which decays the weights at the end of a step. It reads the states of torch's AdamW with a warning.

    Args:
        params: the parameters to train, as in torch.
        options: all of ``lr``, ``betas``, ``eps``, ``weight_decay``, ``correct_bias`` and ``amsgrad``.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, https://arxiv.org/abs/1711.05101;
    Kingma and Ba, "Adam", 2015, https://arxiv.org/abs/1412.6980, with the order of computation in the last paragraph of
    section 2.
    """

    counts = ("beta1_product", "beta2_product")

    def initial_state(self, group: State, param: torch.Tensor) -> State:
        """Return the moments before the first step and, if the bias is corrected, the products of the betas."""
        moments = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * group["amsgrad"]
        products = self.counts if group.get("correct_bias", True) else ()
        return {name: zeros_like(param) for name in moments} | {name: count_of(1.0, param) for name in products}

    def update(self, group: State, param: torch.Tensor, grad: torch.Tensor, state: State) -> None:
        """Change the parameter and its state by the formula of the class docstring."""
        update = self.adam_step(group, grad, state)
        param.sub_(update.add_(param * group["weight_decay"]).mul_(group["lr"]))

    def adam_step(self, group: State, grad: torch.Tensor, state: State) -> torch.Tensor:
        """Update the moments by a gradient, and return ``c * m / (sqrt(v) + eps)``."""
        beta1, beta2 = group["betas"]
        first, second = state["exp_avg"], state["exp_avg_sq"]
        first.mul_(beta1).add_(grad * (1 - beta1))
        second.mul_(beta2).add_(grad * grad * (1 - beta2))
        if group["amsgrad"]:
            second = torch.maximum(state["max_exp_avg_sq"], second, out=state["max_exp_avg_sq"])
        update: torch.Tensor = first / second.sqrt().add_(group["eps"])
        if group.get("correct_bias", True):
            state["beta1_product"].mul_(beta1)
            state["beta2_product"].mul_(beta2)
            update.mul_((1 - state["beta2_product"]).sqrt() / (1 - state["beta1_product"]))
        return update

    def converted(self, state_dict: State) -> State:
        """Return a saved state, converted to the form in which this class saves its state.

        Raises:
            ValueError: the state has another ``correct_bias``, or another rule of weight decay.
        """
        # If the state has more groups than the optimizer, torch later raises an error.
        own = [self.defaults] * max(len(state_dict["param_groups"]) - len(self.param_groups), 0)
        adapted_groups = list(map(self.adapted, state_dict["param_groups"], [*self.param_groups, *own]))
        # The options of torch are removed, so that the state counts as a state of this class after the next save.
        groups = [{key: value for key, value in group.items() if key not in OF_TORCH} for group in adapted_groups]
        self.check_options(groups)
        states = dict(state_dict["state"])
        for group in groups:
            states.update({id: _with_products(group, states[id]) for id in group["params"] if id in states})
        adapted = super().converted({**state_dict, "param_groups": groups, "state": states})
        if any(FROM_TORCH in group for group in state_dict["param_groups"]):
            name = type(self).__name__
            warnings.warn(
                f"cerebras.{name} loads a state of torch's {name}: the next steps differ from the steps of torch, "
                f"because cerebras.{name} adds eps to the root of the second moment before it corrects the bias",
                stacklevel=3,
            )
        return adapted

    def adapted(self, group: State, own_group: State) -> State:
        """Return a saved param group, converted to the options of this class.

        Raises:
            ValueError: the group has another update rule.
        """
        defaults = {"correct_bias": True, "amsgrad": False} if FROM_TORCH in group else {"amsgrad": False}
        group, own = {**defaults, **group}, own_group["correct_bias"]
        if group.get(OF_CEREBRAS) or not group.get("decoupled_weight_decay", True):
            raise _of_another_rule(f"AdamW with correct_bias={own}", "Adam, whose weight decay is part of the gradient")
        if group.get("correct_bias", own) != own:
            raise _of_another_rule(f"AdamW with correct_bias={own}", f"AdamW with correct_bias={not own}")
        return group


class Adam(AdamW):
    """Adam, which adds the weight decay to the gradient: ``g + weight_decay * p`` replaces g.

    For the rest of the formula, see :class:`AdamW`. The bias is always corrected. :meth:`load_state_dict` reads the
    states of this class, of Cerebras and, with a warning, of torch's Adam.

    Args:
        params: the parameters to train, as in torch.
        options: all of ``lr``, ``betas``, ``eps``, ``weight_decay`` and ``amsgrad``.

    Source: Kingma and Ba, "Adam", 2015, https://arxiv.org/abs/1412.6980, with the order of computation in the last
    paragraph of section 2.
    """

    def update(self, group: State, param: torch.Tensor, grad: torch.Tensor, state: State) -> None:
        """Change the parameter and its state by the formula of the class docstring."""
        update = self.adam_step(group, grad + param * group["weight_decay"], state)
        param.sub_(update.mul_(group["lr"]))

    def adapted(self, group: State, own_group: State) -> State:
        """Return a saved param group, converted to the options of this class.

        Raises:
            ValueError: the group has another update rule.
        """
        if OF_CEREBRAS in group and group["correct_bias"] and not group["weight_decay"]:
            rest = {key: value for key, value in group.items() if key not in ("correct_bias", OF_CEREBRAS)}
            return {**rest, "weight_decay": group[OF_CEREBRAS]}
        if "correct_bias" in group or group.get("decoupled_weight_decay", False):
            raise _of_another_rule("Adam", "AdamW, whose weight decay is not part of the gradient")
        return group


def _with_products(group: State, saved: State) -> State:
    """Return the state of a parameter, in which products of betas replace the steps or powers of another library."""
    state = dict(saved)
    step = state.pop("step", None)
    for beta, name in zip(group["betas"], ("beta1", "beta2"), strict=True):
        power = state.pop(f"{name}_power", None)  # the saved power is the power for the next step
        if power is not None:
            state[f"{name}_product"] = float(power) / float(beta or 1)
        elif step is not None and group.get("correct_bias", True):
            state[f"{name}_product"] = float(beta) ** float(step)
    return state


def _of_another_rule(own: str, saved: str) -> ValueError:
    return ValueError(
        f"the state must be a state of cerebras.{own}, given one of {saved}, which has another update rule; construct "
        "the optimizer from which the state comes, or start without a saved state"
    )
