"""A saved state of an optimizer with another update rule is refused, or warned about, when it is loaded."""

import warnings
from typing import Any

from torch.optim import Optimizer

from .cerebras.defaults import PAGE

# What the states of optimizers have that torch's do not read: in a param group, and for a parameter.
FOREIGN_OPTIONS = {"clip_threshold": "the Adafactor of Cerebras or Hugging Face", "adam": "the Lamb of Cerebras"}
# The options that tell one class from another. Not those that torch came to have in later versions, which it fills in.
TELLING = {name for _, defaults in PAGE.values() for name in defaults} - {"lr", "weight_decay", "maximize", "foreach"}
TELLING |= {"beta2_decay", "d"}  # of torch's Adafactor
ADAMAX = "exp_inf"  # a state of Adamax, whose options RAdam has, too
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
        if type(optimizer).__module__.startswith("torch."):
            _compare_options(optimizer, group)
        missing = sorted(own.keys() - group.keys())
        if missing and not type(optimizer).__module__.startswith("torch."):  # torch fills in its later options
            _refuse(name, f"an optimizer without the option {missing[0]!r}", "")
        if group.get("correct_bias") is False and "correct_bias" not in own:
            _refuse(name, "an AdamW with correct_bias=False", "('cerebras.AdamW', ..., correct_bias=False)")
        names = {key for id in group["params"] for key in state_dict["state"].get(id, ())}
        if "exp_avg" in names and (ADAMAX in names) != (name == "Adamax"):
            _refuse(name, f"an optimizer {'with' if ADAMAX in names else 'without'} the state {ADAMAX!r}", "")
        if not names.isdisjoint(FOREIGN_STATES):
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


def _compare_options(optimizer: Optimizer, group: dict[str, Any]) -> None:
    """Refuse a param group with options of another optimizer, or without those of this one."""
    name, held = type(optimizer).__name__, {key for one in optimizer.param_groups for key in one}
    foreign = sorted(TELLING & group.keys() - held - {"correct_bias"})
    if foreign:
        _refuse(name, f"an optimizer with the option {foreign[0]!r}", "")
    missing = TELLING & optimizer.defaults.keys() - group.keys()
    if "foreach" not in group:  # of Hugging Face or of an early torch
        missing -= {"amsgrad"}
    if missing:
        _refuse(name, f"an optimizer without the option {min(missing)!r}", "")


def _refuse(name: str, rule: str, call: str) -> None:
    raise ValueError(
        f"the state must be one of {name}, given one of {rule}, with other updates: make that optimizer by "
        f"configure_optimizer{call}, or begin without its state"
    )


def _warn(name: str, rule: str) -> None:
    warnings.warn(f"the state that {name} loads is of {rule}: the next steps have another update rule", stacklevel=6)
