"""Adam and AdamW with eps beside the root of the uncorrected second moment."""

import warnings

import torch

from .optimizer import CerebrasOptimizer, State, count_of, zeros_like

FROM_TORCH = "foreach"  # an option that the states of torch's optimizers alone have
OF_TORCH = (FROM_TORCH, "fused", "capturable", "differentiable", "decoupled_weight_decay")
OF_CEREBRAS = "l2_regularization_rate"  # and one that the states of Cerebras' Adam and AdamW have


class AdamW(CerebrasOptimizer):
    """Adam with a weight decay that does not pass through the moments.

    With gradient g, parameter p and step t, counted from 1::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        c = sqrt(1 - beta2**t) / (1 - beta1**t)     or 1 without correct_bias
        p = p - lr * (c * m / (sqrt(v) + eps) + weight_decay * p)

    torch adds ``eps`` to the corrected root instead: ``m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps)``. With
    ``amsgrad``, v in the last line is the largest v so far. The powers of the betas are products over the steps, so a
    schedule may change them.

    :meth:`load_state_dict` reads the states of this class, of Cerebras, of Hugging Face's AdamW, whose weight decay
    comes after the rest of the step, and, with a warning, of torch's AdamW.

    Args:
        params: what to train, as in torch.
        options: ``lr``, ``betas``, ``eps``, ``weight_decay``, ``correct_bias`` and ``amsgrad``, all of them.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019, https://arxiv.org/abs/1711.05101;
    Kingma and Ba, "Adam", 2015, https://arxiv.org/abs/1412.6980, the order of the last paragraph of section 2.
    """

    counts = ("beta1_product", "beta2_product")

    def initial_state(self, group: State, param: torch.Tensor) -> State:
        """The moments, and the products of the betas so far where the bias is corrected."""
        moments = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * group["amsgrad"]
        products = self.counts if group.get("correct_bias", True) else ()
        return {name: zeros_like(param) for name in moments} | {name: count_of(1.0, param) for name in products}

    def update(self, group: State, param: torch.Tensor, grad: torch.Tensor, state: State) -> None:
        """The formula of the class."""
        update = self.adam_step(group, grad, state)
        param.sub_(update.add_(param * group["weight_decay"]).mul_(group["lr"]))

    def adam_step(self, group: State, grad: torch.Tensor, state: State) -> torch.Tensor:
        """Count a gradient, and return ``c * m / (sqrt(v) + eps)``."""
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
        """A saved state as this class saves it.

        Raises:
            ValueError: the state has another ``correct_bias``, or its weight decay goes another way.
        """
        own = [self.defaults] * max(len(state_dict["param_groups"]) - len(self.param_groups), 0)  # torch refuses more
        adapted_groups = list(map(self.adapted, state_dict["param_groups"], [*self.param_groups, *own]))
        # Without the options of torch, so that the next save and load is one of this class.
        groups = [{key: value for key, value in group.items() if key not in OF_TORCH} for group in adapted_groups]
        self.check_options(groups)
        states = dict(state_dict["state"])
        for group in groups:
            states.update({id: _with_products(group, states[id]) for id in group["params"] if id in states})
        adapted = super().converted({**state_dict, "param_groups": groups, "state": states})
        if any(FROM_TORCH in group for group in state_dict["param_groups"]):
            name = type(self).__name__
            warnings.warn(
                f"the state of torch's {name} goes on in cerebras.{name}, which adds eps to the root of the second "
                "moment before it corrects the bias: the next steps differ from those of torch",
                stacklevel=3,
            )
        return adapted

    def adapted(self, group: State, own_group: State) -> State:
        """A saved param group with the options of this class, to take the place of one of its own.

        Raises:
            ValueError: the group has another update rule.
        """
        defaults = {"correct_bias": True, "amsgrad": False} if FROM_TORCH in group else {"amsgrad": False}
        group, own = {**defaults, **group}, own_group["correct_bias"]
        if group.get(OF_CEREBRAS) or not group.get("decoupled_weight_decay", True):
            raise _of_another_rule(f"AdamW with correct_bias={own}", "Adam, with its weight decay in the gradient")
        if group.get("correct_bias", own) != own:
            raise _of_another_rule(f"AdamW with correct_bias={own}", f"AdamW with correct_bias={not own}")
        return group


class Adam(AdamW):
    """Adam, with its weight decay in the gradient: ``g + weight_decay * p`` in the place of g.

    For the rest of the formula, see :class:`AdamW`; the bias is always corrected. :meth:`load_state_dict` reads the
    states of this class, of Cerebras and, with a warning, of torch's Adam.

    Args:
        params: what to train, as in torch.
        options: ``lr``, ``betas``, ``eps``, ``weight_decay`` and ``amsgrad``, all of them.

    Source: Kingma and Ba, "Adam", 2015, https://arxiv.org/abs/1412.6980, the order of the last paragraph of section 2.
    """

    def update(self, group: State, param: torch.Tensor, grad: torch.Tensor, state: State) -> None:
        """The formula of the class."""
        update = self.adam_step(group, grad + param * group["weight_decay"], state)
        param.sub_(update.mul_(group["lr"]))

    def adapted(self, group: State, own_group: State) -> State:
        """A saved param group with the options of this class, to take the place of one of its own.

        Raises:
            ValueError: the group has another update rule.
        """
        if OF_CEREBRAS in group and group["correct_bias"] and not group["weight_decay"]:
            rest = {key: value for key, value in group.items() if key not in ("correct_bias", OF_CEREBRAS)}
            return {**rest, "weight_decay": group[OF_CEREBRAS]}
        if "correct_bias" in group or group.get("decoupled_weight_decay", False):
            raise _of_another_rule("Adam", "AdamW, with its weight decay beside the gradient")
        return group


def _with_products(group: State, saved: State) -> State:
    """The state of a parameter, with products of the betas where another library has steps or powers."""
    state = dict(saved)
    step = state.pop("step", None)
    for beta, name in zip(group["betas"], ("beta1", "beta2"), strict=True):
        power = state.pop(f"{name}_power", None)  # the one of the next step
        if power is not None:
            state[f"{name}_product"] = float(power) / float(beta or 1)
        elif step is not None and group.get("correct_bias", True):
            state[f"{name}_product"] = float(beta) ** float(step)
    return state


def _of_another_rule(own: str, saved: str) -> ValueError:
    return ValueError(
        f"the state must be one of the same update rule, cerebras.{own}, given one of {saved}: make the optimizer that "
        "the state is of, or begin without its state"
    )
