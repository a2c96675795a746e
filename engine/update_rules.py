"""A saved state of an optimizer with another update rule is refused, or warned about, when it is loaded."""

import warnings
from typing import Any

from torch.optim import Optimizer

# What the states of optimizers have that torch's do not read: in a param group, and for a parameter.
FOREIGN_OPTIONS = {"clip_threshold": "the Adafactor of Cerebras or Hugging Face", "adam": "the Lamb of Cerebras"}
FOREIGN_STATES = ("beta1_product", "beta1_power")


def check_update_rule(optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    """A hook for ``register_load_state_dict_pre_hook``: compares the update rule of a state with that of an optimizer.

    Returns:
        The state to load, without an option that would warn again after the next save.

    Raises:
        ValueError: the optimizer would make other updates than the one that the state is of; nothing is loaded then.
    """
    name, own = type(optimizer).__name__, optimizer.defaults
    for group in state_dict.get("param_groups", ()):
        foreign = [rule for option, rule in FOREIGN_OPTIONS.items() if option in group and option not in own]
        if foreign:
            _refuse(name, foreign[0], "")
        missing = sorted(own.keys() - group.keys())
        if missing and not type(optimizer).__module__.startswith("torch."):  # torch fills in its later options
            _refuse(name, f"an optimizer without the option {missing[0]!r}", "")
        if group.get("correct_bias") is False and "correct_bias" not in own:
            _refuse(name, "an AdamW with correct_bias=False", "('cerebras.AdamW', ..., correct_bias=False)")
        if any(key in state_dict["state"].get(id, {}) for id in group["params"] for key in FOREIGN_STATES):
            _refuse(name, "an Adam or AdamW of Cerebras", "('cerebras.AdamW', ...)")
        if "correct_bias" in group and "correct_bias" not in own:
            _warn(name, "an AdamW that adds eps before it corrects the bias")
        saved, decoupled = group.get("decoupled_weight_decay"), own.get("decoupled_weight_decay")
        if None not in (saved, decoupled) and saved != decoupled and group.get("weight_decay"):
            _warn(name, f"an optimizer with decoupled_weight_decay={saved}, here it is {decoupled}")
    if "correct_bias" in own or "param_groups" not in state_dict:
        return state_dict
    groups = [{key: value for key, value in one.items() if key != "correct_bias"} for one in state_dict["param_groups"]]
    return {**state_dict, "param_groups": groups}


def _refuse(name: str, rule: str, call: str) -> None:
    raise ValueError(
        f"the state must be one of {name}, given one of {rule}, with other updates: make that optimizer by "
        f"configure_optimizer{call}, or begin without its state"
    )


def _warn(name: str, rule: str) -> None:
    warnings.warn(f"the state that {name} loads is of {rule}: the next steps have another update rule", stacklevel=6)
