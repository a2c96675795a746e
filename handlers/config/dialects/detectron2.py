"""Config types for the section ``SOLVER`` of detectron2, and for fvcore's schedulers in detectron2's lazy configs.

The value at event i is detectron2's value at iteration i. Keys that a config leaves out have detectron2's defaults:
``MAX_ITER`` is 40000, ``BASE_LR`` is 0.001, and ``STEPS`` is (30000,). The default warm-up is linear, takes 1000
iterations, and starts at 0.001 times the learning rate. ``WarmupPolyLR`` comes from DeepLab, a project of detectron2.
If the param groups have different learning rates, and one of them is ``BASE_LR``, each group starts from its own
learning rate. After ``MAX_ITER`` iterations, the value stays constant. detectron2 itself raises an error there if the
scheduler is ``WarmupStepWithFixedGammaLR``.

Configs of maskrcnn-benchmark, and configs of detectron2's version 1, have the same keys with other defaults. A config
with ``VERSION: 2`` or ``MODEL.WEIGHTS`` is one of detectron2's version 2. Any other config is refused if it has
``MODEL.WEIGHT``, or if it lacks ``WARMUP_ITERS`` or ``WARMUP_FACTOR``.

Keys of ``SOLVER`` that are not about the learning rate have no effect. ``REFERENCE_WORLD_SIZE`` has no effect, although
detectron2 uses it to adapt the learning rate to the number of processes.
"""

import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config.argument_validators import (
    at_least_one,
    count,
    fraction,
    not_negative,
    number,
    one_of,
    positive,
    unchecked,
)
from lehr.handlers.config.argument_validators import flag as boolean
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, Entry, EntryType, Recognition, build, read_entry, refuse_key
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules import (
    Anneal,
    Bounded,
    Constant,
    Polynomial,
    Product,
    Schedule,
    Shift,
    Window,
    arguments,
)

from .fvcore import INNER, Node, node_of, whole_run, with_warmup
from .language_model_parts import after, needed_steps

# A key of SOLVER that contains one of these words is about the learning rate.
WORDS = re.compile(r"(^|_)(LR|LRS|WARMUP|EPOCHS?|SCHED|SCHEDULER|POLICY|POLY|COSINE|CYCLES?|DELAY|GAMMAS?|STEP)(_|$)")
FACTORS = ("BIAS_LR_FACTOR", "BACKBONE_MULTIPLIER")  # factors for the learning rates of some param groups


def _steps(name: str, value: Any) -> list[int]:
    """Check a list of iterations, or a text such as ``"(60000, 80000)"``, and return the list."""
    if isinstance(value, str):
        inner = re.fullmatch(r"\s*[(\[]?([\d_,\s]*)[)\]]?\s*", value)
        if inner is None:
            raise ValueError(f"{name} must be a list of iterations, given {arguments.shown(value)}")
        value = [int(one) for one in inner[1].split(",") if one.strip()]
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be a list of iterations, given {arguments.shown(value)}")
    steps = [at_least_one(f"{name}[{at}]", one) for at, one in enumerate(value)]
    if steps != sorted(set(steps)):
        raise ValueError(f"{name} must rise, given {arguments.shown(steps)}")
    return steps


def _base(context: ConfigContext, a: SimpleNamespace) -> Any:
    """Return the learning rate, or a list with the learning rate of each param group."""
    values = context.initial_values
    if len(set(values)) > 1 and a.BASE_LR in values:
        return list(values)
    for key in FACTORS:
        if getattr(a, key) not in (None, 1):
            raise ValueError(
                f"[{key!r}] must be 1, unless the optimizer's param groups already have different learning rates and "
                f"one of them is BASE_LR, given {getattr(a, key)}"
            )
    return a.BASE_LR


def _solver(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    events = needed_steps(context, "MAX_ITER", a.MAX_ITER, "the values depend on it")
    _refuse_epochs(context)
    base = _base(context, a)
    if a.LR_SCHEDULER_NAME == "WarmupPolyLR":
        return _entry(context, base, _poly(a, events), events)
    length = min(a.WARMUP_ITERS / events, 1.0)
    node = with_warmup(_node(context, a, events), a.WARMUP_FACTOR, length, a.WARMUP_METHOD, a.RESCALE_INTERVAL)
    return _entry(context, base, node.schedule(whole_run(events)), events)


def _node(context: ConfigContext, a: SimpleNamespace, events: int) -> Node:
    """Make the scheduler that ``LR_SCHEDULER_NAME`` names, without its warm-up."""
    if a.LR_SCHEDULER_NAME == "WarmupMultiStepLR":
        steps = [one for one in a.STEPS if one <= events]
        own: dict[str, Any] = {"values": [a.GAMMA**at for at in range(len(steps) + 1)], "milestones": steps}
        name, own = "MultiStepParamScheduler", {**own, "num_updates": events}
        if steps and steps[-1] == events:
            raise ValueError(f"['STEPS'] must not contain MAX_ITER itself, given {a.STEPS}")
    elif a.LR_SCHEDULER_NAME == "WarmupCosineLR":
        if not a.BASE_LR or a.BASE_LR_END > a.BASE_LR:
            raise ValueError(f"['BASE_LR_END'] must be at most BASE_LR, {a.BASE_LR}, given {a.BASE_LR_END}")
        name, own = "CosineParamScheduler", {"start_value": 1.0, "end_value": a.BASE_LR_END / a.BASE_LR}
    else:
        name = "StepWithFixedGammaParamScheduler"
        own = {"base_value": 1.0, "gamma": a.GAMMA, "num_decays": a.NUM_DECAYS, "num_updates": events}
    made: Node = build(INNER[name], Entry(a.where, "", own), context)
    return made


def _poly(a: SimpleNamespace, events: int) -> Schedule:
    curve = Anneal(1.0, 0.0, events, Polynomial(a.POLY_LR_POWER))
    warmup = min(a.WARMUP_ITERS, events) if a.WARMUP_FACTOR != 1 else 0
    end = 1.0 if a.WARMUP_METHOD == "linear" else a.WARMUP_FACTOR
    rising = Product([Anneal(a.WARMUP_FACTOR, end, max(a.WARMUP_ITERS, 1)), curve])
    rest: Schedule = Shift(curve, by=warmup) if warmup else curve
    if a.POLY_LR_CONSTANT_ENDING:
        rest = Bounded(rest, at_least=a.POLY_LR_CONSTANT_ENDING)
    return after([(rising, warmup)], rest)


def _refuse_epochs(context: ConfigContext) -> None:
    if context.epoch_length is not None:
        raise ValueError("epoch_length must be left out, since detectron2 counts iterations")


def _entry(context: ConfigContext, base: Any, factors: Schedule, events: int) -> EntrySchedule:
    whole = Product([Constant(base), Window(factors, end=events + 1)])
    return EntrySchedule(context, lambda value: whole, duration=events)


def _config(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    where = f"{a.where}['SOLVER']"
    base = vars(a)["_BASE_"]
    if base is not None:
        raise ValueError(
            f"['_BASE_'] is read only if configure_scheduler has root=, a folder with the base file, given {base!r}"
        )
    given = dict(read_entry(where, a.SOLVER, typed=False).values)
    model = a.MODEL if isinstance(a.MODEL, Mapping) else {}
    is_known = a.VERSION == 2 or "WEIGHTS" in model
    if not is_known and "WEIGHT" in model:
        raise ValueError(
            f"{a.where}['MODEL']['WEIGHT'] shows that this is a config of maskrcnn-benchmark or of detectron2's "
            "version 1, which have other defaults"
        )
    if not is_known and not {"WARMUP_ITERS", "WARMUP_FACTOR"} <= given.keys():
        raise ValueError(
            f"{a.where}['VERSION'] must be 2, or SOLVER must have WARMUP_ITERS and WARMUP_FACTOR, since other "
            f"libraries have this section with other defaults, given {arguments.shown(a.VERSION)}"
        )
    for key in given:
        if key not in ARGUMENTS and WORDS.search(key):
            refuse_key(where, key, ARGUMENTS)
    own = {key: value for key, value in given.items() if key in ARGUMENTS}
    made: EntrySchedule = build(TYPES["Solver"], Entry(where, "", own), context)
    return made


def _multiplier(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    node = node_of(context, read_entry(f"{a.where}['multiplier']", a.multiplier))
    return _of_node(context, node, a.max_iter)


def _of_node(context: ConfigContext, node: Node, max_iter: int | None) -> EntrySchedule:
    _refuse_epochs(context)
    events = needed_steps(context, "max_iter", max_iter, "fvcore's schedulers divide the run into parts")
    return _entry(context, context.initial_value, node.schedule(whole_run(events)), events)


def _outermost(row: EntryType) -> EntryType:
    """Turn the ``EntryType`` of an inner scheduler into the ``EntryType`` of a scheduler that stands alone."""

    def entry_schedule(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
        return _of_node(context, row.build(context, a), a.max_iter)

    own: Arguments = {**row.arguments, "max_iter": (at_least_one, None)}
    return EntryType(row.description, own, entry_schedule, around={"max_iter": ("train.max_iter",)})


def _has_solver(value: Any) -> bool:
    keys = ("BASE_LR", "MAX_ITER", "STEPS", "LR_SCHEDULER_NAME")
    return isinstance(value, dict) and any(key in value for key in keys)


# fmt: off
NAMES = ("WarmupMultiStepLR", "WarmupCosineLR", "WarmupStepWithFixedGammaLR", "WarmupPolyLR")
ARGUMENTS: Arguments = {
    "LR_SCHEDULER_NAME": (one_of(*NAMES), "WarmupMultiStepLR"), "MAX_ITER": (at_least_one, 40000),
    "BASE_LR": (not_negative, 0.001), "BASE_LR_END": (not_negative, 0.0), "GAMMA": (positive, 0.1),
    "STEPS": (_steps, [30000]), "NUM_DECAYS": (at_least_one, 3), "WARMUP_FACTOR": (not_negative, 0.001),
    "WARMUP_ITERS": (count, 1000), "WARMUP_METHOD": (one_of("linear", "constant"), "linear"),
    "RESCALE_INTERVAL": (boolean, False), "POLY_LR_POWER": (not_negative, 0.9),
    "POLY_LR_CONSTANT_ENDING": (fraction, 0.0), **dict.fromkeys(FACTORS, (number, None)),
}
TYPES = {
    **{name: _outermost(row) for name, row in INNER.items()},
    "LRMultiplier": EntryType("The initial value times a scheduler of fvcore.",
        {"multiplier": unchecked, "max_iter": at_least_one}, _multiplier, around={"max_iter": ("train.max_iter",)}),
    "Solver": EntryType("The section SOLVER of a config: a warm-up, and steps, a cosine or a polynomial.", ARGUMENTS,
        _solver, recognition=Recognition("BASE_LR", words=("LR", "WARMUP", "EPOCH", "EPOCHS", "SCHED", "POLICY"))),
    "CfgNode": EntryType("The section SOLVER of a whole config.",
        {"SOLVER": unchecked, "MODEL": (unchecked, None), "VERSION": (unchecked, None),
        "_BASE_": (unchecked, None)}, _config,
        recognition=Recognition("SOLVER", _has_solver, parts={"MODEL": ("WEIGHTS", "WEIGHT")})),
}
# fmt: on
