"""Config types for ``lr_config`` and ``momentum_config`` in the files of mmcv 1.x.

The values are equal to those of mmcv 1.7, with two differences. After the last iteration of the run, the value stays
constant, while mmcv raises an error. The ``target_ratio`` of cycles may be a list, because JSON and YAML files have no
tuples.
"""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config.argument_validators import at_least_one, flag, one_of, positive_fraction, text, unchecked
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, Entry, EntryType, Recognition, build, lookup, read_entry
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import Anneal, Concatenation, Constant, ExponentialDecay, PowerDecay, Product, Schedule
from lehr.handlers.schedules.arguments import shown

from .mmcv_policies import LR, MOMENTUM, OF_POLICIES, Policy

# If `by_epoch` is None, its value depends on mmcv's runner.
# fmt: off
WARMUP: Arguments = {
    "by_epoch": (flag, None), "warmup": (one_of("constant", "linear", "exp"), None),
    "warmup_iters": (at_least_one, None),
}
WARMUP_OF: Mapping[str, Arguments] = {
    "lr": {**WARMUP, "warmup_ratio": (positive_fraction, 0.1), "warmup_by_epoch": (flag, False)},
    "momentum": {**WARMUP, "warmup_ratio": (positive_fraction, 0.9)},
}
# fmt: on


def _of_policy(
    context: ConfigContext, where: str, values: Mapping[str, Any], in_iterations: bool | None
) -> EntrySchedule:
    """Make the schedule of an ``lr_config`` or a ``momentum_config``.

    Args:
        context: the parameter. The momentum has its own policies.
        where: the path to the ``lr_config`` or ``momentum_config``.
        values: the policy and its arguments.
        in_iterations: whether mmcv's runner counts iterations. If None, the runner is unknown.
    """
    kind, known = ("momentum", MOMENTUM) if context.param_name == "momentum" else ("lr", LR)
    name = text(f"{where}['policy']", values.get("policy"))
    # As in mmcv, the name of a policy may be in lower case.
    name = lookup(f"{where}['policy']", name.title() if name == name.lower() else name, known)
    given = {key: value for key, value in values.items() if value is not None and key != "policy"}

    def schedule(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
        by_epoch = _counts_epochs(context, known[name], a, in_iterations)
        return _with_warmup(context, known[name], a, by_epoch)

    row = EntryType("", {**known[name].arguments, **WARMUP_OF[kind]}, schedule)
    made: EntrySchedule = build(row, Entry(where, "", given), context)
    return made


def _counts_epochs(context: ConfigContext, policy: Policy, a: SimpleNamespace, in_iterations: bool | None) -> bool:
    if policy.by_iteration:
        if a.by_epoch:
            raise ValueError("['by_epoch'] must be false for this policy, given True")
        return False
    run = context.run
    if in_iterations is None and a.by_epoch is None and run.max_epochs is None and run.total_steps is not None:
        raise ValueError(
            "['by_epoch'] must be given if the run has iterations and no epochs, since its default is False with "
            "mmcv's IterBasedRunner, and True with other runners"
        )
    by_epoch = a.by_epoch
    if by_epoch is None:
        by_epoch = not in_iterations or context.param_name == "momentum"
    if by_epoch and in_iterations:
        raise ValueError(
            "['by_epoch'] must be false in a file with an IterBasedRunner, which has no epochs, given True"
        )
    return bool(by_epoch)


def _with_warmup(context: ConfigContext, policy: Policy, a: SimpleNamespace, by_epoch: bool) -> EntrySchedule:
    """Convert the schedule of a policy to events, and multiply it by the warm-up."""
    length = context.run.epochs if by_epoch else context.run.steps
    if length is None and policy.needs_length:
        name, unit = ("max_epochs", "epochs") if by_epoch else ("total_steps", "iterations")
        raise ValueError(f"the {unit} of the run must be known: give {name} to configure_scheduler")
    schedule = policy.schedule(context.initial_value, length or 0, a)
    factors = _warmup(context, a, by_epoch)
    in_events = context.in_events(schedule) if by_epoch else schedule
    whole = in_events if factors is None else Product([in_events, factors])
    return EntrySchedule(context, lambda value: whole)


def _warmup(context: ConfigContext, a: SimpleNamespace, by_epoch: bool) -> Schedule | None:
    """Return the factors of the warm-up at each iteration. If there is no warm-up, return None."""
    if a.warmup is None:
        return None
    if a.warmup_iters is None:
        raise ValueError("['warmup_iters'] must be a number if there is a warm-up, given None")
    in_epochs = getattr(a, "warmup_by_epoch", False)
    if context.epoch_length is None and (by_epoch or in_epochs):
        raise ValueError(
            "['warmup'] needs epoch_length to convert epochs to iterations: give it to configure_scheduler"
        )
    steps, ratio = a.warmup_iters * (context.every if in_epochs else 1), a.warmup_ratio
    inverse = context.param_name == "momentum"  # mmcv divides a momentum by the factor that multiplies a learning rate
    factors: Schedule = Constant(1 / ratio if inverse else ratio)
    if a.warmup == "linear" and ratio < 1:
        falling = PowerDecay(1 / ratio, steps * ratio / (1 - ratio), power=1.0)
        factors = falling if inverse else Anneal(ratio, 1.0, steps)
    elif a.warmup == "exp":
        first = 1 / ratio if inverse else ratio
        factors = ExponentialDecay(first, 1 / first, decay_events=steps)
    return Concatenation([factors, Constant(1.0)], [steps])


def _of_file(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    """Make the schedule of the learning rate in a training file. If the file has a momentum, make its schedule, too."""
    in_iterations = _counts_iterations(a)
    made: list[EntrySchedule] = []
    for key, param_name in (("lr_config", "lr"), ("momentum_config", "momentum")):
        given = getattr(a, key)
        if given is not None:
            own = read_entry(f"{a.where}[{key!r}]", given, typed=False)
            if own.type not in ("", "mmcv.LrUpdaterHook"):
                raise ValueError(f"{own.where} must have a policy, given the type {shown(own.type)}")
            made.append(_of_policy(context.of(param_name), own.where, own.values, in_iterations))
    lr, *others = made
    if not others:
        return lr
    return replace(lr, momentum=others[0].starting_from(others[0].context.initial_value))


def _counts_iterations(a: SimpleNamespace) -> bool | None:
    """Return whether the runner of a file counts iterations. If the file does not say so, return None."""
    runner = a.runner if isinstance(a.runner, Mapping) else {}
    if "max_iters" in runner or "max_epochs" in runner:
        return "max_epochs" not in runner
    if a.total_epochs is not None or a.total_iters is not None:
        return a.total_epochs is None
    return "IterBased" in str(runner["type"]) if "type" in runner else None


def _is_policy(value: object) -> bool:
    """Return whether a value resembles the name of a policy. Other libraries use ``policy`` for other values."""
    names = [name.lower() for name in (*LR, *MOMENTUM)]
    return isinstance(value, str) and bool(difflib.get_close_matches(value.lower(), names, n=1, cutoff=0.7))


# fmt: off
TYPES = {
    "LrUpdaterHook": EntryType("A policy of mmcv 1.x, of lr_config or momentum_config, with a warm-up.",
        {"policy": text, **OF_POLICIES, **dict.fromkeys(WARMUP_OF["lr"], (unchecked, None))},
        lambda context, a: _of_policy(context, a.where, {k: v for k, v in vars(a).items() if k != "where"}, None),
        recognition=Recognition("policy", _is_policy, all_keys=True)),
    "LrAndMomentumUpdaterHooks": EntryType("The lr_config of a training file of mmcv 1.x, with its momentum_config.",
        {"lr_config": unchecked, "momentum_config": (unchecked, None), "runner": (unchecked, None),
        "total_epochs": (unchecked, None), "total_iters": (unchecked, None)}, _of_file,
        recognition=Recognition("lr_config", lambda value: hasattr(value, "keys") and "policy" in list(value.keys()))),
}
# fmt: on
