"""Checks saved states: a state of an optimizer with another update rule raises an error or a warning when loaded."""

import warnings
from typing import Any

from torch.optim import Optimizer

from .cerebras.defaults import PAGE

# Maps options of param groups that torch's optimizers do not read to the optimizer that has the option.
FOREIGN_OPTIONS = {"clip_threshold": "the Adafactor of Cerebras or Hugging Face", "adam": "the Lamb of Cerebras"}
# These options distinguish the classes of optimizers. Options that torch added in later versions are left out, because
# torch adds them to an older state.
TELLING = {name for _, defaults in PAGE.values() for name in defaults} - {"lr", "weight_decay", "maximize", "foreach"}
TELLING |= {"beta2_decay", "d"}  # options of torch's Adafactor
ADAMAX = "exp_inf"  # a state that distinguishes Adamax from RAdam, which has the same options
FOREIGN_STATES = ("beta1_product", "beta1_power")


def check_update_rule(optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    """Check that a saved state comes from an optimizer with the same update rule.

    This is a hook for ``register_load_state_dict_pre_hook``.

    Returns:
        The state to load. It lacks ``correct_bias`` if this option would cause the same warning after the next save.

    Raises:
        ValueError: the state comes from an optimizer that makes other updates. If this error is raised, nothing is
            loaded.
    """
    name, own = type(optimizer).__name__, optimizer.defaults
    for group in state_dict.get("param_groups", ()):
        foreign = [rule for option, rule in FOREIGN_OPTIONS.items() if option in group and option not in own]
        if foreign:
            _refuse(name, foreign[0], "")
        if type(optimizer).__module__.startswith("torch."):
            _compare_options(optimizer, group)
        missing = sorted(own.keys() - group.keys())
        if missing and not type(optimizer).__module__.startswith("torch."):  # torch adds its later options
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
    """Raise an error if a saved param group has a foreign option, or lacks an option of the optimizer."""
    name, held = type(optimizer).__name__, {key for one in optimizer.param_groups for key in one}
    foreign = sorted(TELLING & group.keys() - held - {"correct_bias"})
    if foreign:
        _refuse(name, f"an optimizer with the option {foreign[0]!r}", "")
    missing = TELLING & optimizer.defaults.keys() - group.keys()
    if "foreach" not in group:  # the state comes from Hugging Face or an early version of torch
        missing -= {"amsgrad"}
    if missing:
        _refuse(name, f"an optimizer without the option {min(missing)!r}", "")


def _refuse(name: str, rule: str, call: str) -> None:
    raise ValueError(
        f"the state must be a state of {name}, given one of {rule}, which makes other updates; construct that "
        f"optimizer by configure_optimizer{call}, or start without a saved state"
    )


def _warn(name: str, rule: str) -> None:
    warnings.warn(
        f"{name} loads a state of {rule}: the next steps follow another update rule than the steps before", stacklevel=6
    )
