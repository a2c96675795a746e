"""Config types for fairseq's config files and command-line flags.

In a file, the key ``_name`` of the section ``lr_scheduler`` names the schedule. A section ``optimization`` beside it
has more arguments. If the schedule is ``pass_through``, the groups of a composite optimizer name the schedule. All
groups must have the same schedule.

Some keys have no effect:

- ``stop_min_lr``, which ends a run.
- ``min_lr`` and ``lr_shrink`` of schedules that do not use them. Older versions had these flags for all schedules.
- ``reset_lr_scheduler``, ``update_freq`` and ``warmup_iterations``, which are about other parts of training.

The default of ``total_num_update`` is ``max_update``, as in the latest version of fairseq.
"""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from lehr.handlers.config.argument_validators import not_negative, text, unchecked, without_effect
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Arguments, Entry, EntryType, Recognition, build, lookup, read_entry
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules.arguments import shown

from . import fairseq

NAMES = {
    "cosine": "CosineLRSchedule",
    "fixed": "FixedLRSchedule",
    "inverse_sqrt": "InverseSquareRootSchedule",
    "pass_through": "",
    "polynomial_decay": "PolynomialDecayLRSchedule",
    "reduce_lr_on_plateau": "ReduceLROnPlateauLRSchedule",
    "step": "StepLRSchedule",
    "tri_stage": "TriStageLRSchedule",
    "triangular": "TriangularLRSchedule",
}
MISSING = "???"  # OmegaConf writes this text in place of a value that the command line must give
IGNORED = ("stop_min_lr", "reset_lr_scheduler", "warmup_iterations", "update_freq")
OF_ALL = ("min_lr", "lr_shrink")  # older versions had these flags for all schedules
# These sections have arguments that the section of the schedule may leave out.
OF_OPTIMIZATION = ("lr", "max_update", "max_epoch")
ELSEWHERE = {"optimization": OF_OPTIMIZATION, "checkpoint": ("maximize_best_checkpoint_metric",)}
# Other libraries have the key `lr_scheduler`, too. Only configs of fairseq also have one of these keys.
SHOWN_BY = (
    "force_anneal",
    "lr_deacy_period",
    "lr_period_updates",
    "max_update",
    "optimization",
    "phase_ratio",
    "stop_min_lr",
    "total_num_update",
    "update_freq",
    "warmup_updates",
)


def _names_schedule(value: Any) -> bool:
    """Return whether a value is the name of a schedule, or a mapping whose ``_name`` is one."""
    name = value.get("_name") if isinstance(value, dict) else value
    return isinstance(name, str) and name in NAMES


def _name_or_section(name: str, value: Any) -> Any:
    return value if isinstance(value, Mapping) else text(name, value)


def _of_section(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    """Make the schedule of a section ``lr_scheduler`` that stands alone."""
    return _built(context, a.where, {key: value for key, value in vars(a).items() if key != "where"})


def _built(context: ConfigContext, where: str, given: Mapping[str, Any]) -> EntrySchedule:
    values = {key: one for key, one in given.items() if key not in ("type", "_name") and one not in (None, MISSING)}
    name = lookup(f"{where}['_name']", given["_name"], NAMES)
    if not NAMES[name]:
        raise ValueError(f"{where}: 'pass_through' must stand beside a composite optimizer")
    row = fairseq.TYPES[NAMES[name]]
    values = {key: value for key, value in values.items() if key in row.arguments or key not in OF_OPTIMIZATION}
    made: EntrySchedule = build(row, Entry(where, "", values), context)
    return made


def _of_config(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    """Make the schedule of a whole config, from its section ``lr_scheduler`` or from its flags."""
    section = a.lr_scheduler
    flags = {key: getattr(a, key) for key in FLAGS if getattr(a, key) is not None and key not in IGNORED}
    if isinstance(section, Mapping):
        own = {**flags, **read_entry(f"{a.where}['lr_scheduler']", {**section, "type": ""}).values}
        if "_name" not in own:
            raise ValueError(f"{a.where}['lr_scheduler'] must have the key '_name', given {shown(list(section))}")
    else:
        own = {"_name": section, **flags}
    name = lookup(f"{a.where}['lr_scheduler']", own["_name"], NAMES)
    if name == "pass_through":
        return _of_group(context, a)
    known = fairseq.TYPES[NAMES[name]].arguments
    for key in OF_ALL:
        if key not in known:
            own.pop(key, None)
    for place, keys in ELSEWHERE.items():
        given = getattr(a, place)
        for key in keys:
            if own.get(key) is None and isinstance(given, Mapping) and key in given:
                own[key] = given[key]
    if "maximize_best_checkpoint_metric" not in known:
        own.pop("maximize_best_checkpoint_metric", None)
    if a.lr_float is not None:
        own["lr"] = a.lr_float
    return _built(context, a.where, own)


def _of_group(context: ConfigContext, a: SimpleNamespace) -> EntrySchedule:
    """Make the schedule that all groups of a composite optimizer have, or raise an error if the groups differ."""
    groups = a.optimizer.get("groups") if isinstance(a.optimizer, Mapping) else None
    where = f"{a.where}['optimizer']['groups']"
    if not isinstance(groups, Mapping) or not groups:
        raise ValueError(f"{where} must be a mapping of groups for 'pass_through', given {shown(groups)}")
    read = [_group(f"{where}[{shown(name)}]", group, a.optimization) for name, group in groups.items()]
    if any(one.values != read[0].values for one in read):
        raise ValueError(
            f"{where} must all have the same schedule, or section= must choose one group, given {shown(list(groups))}"
        )
    made: EntrySchedule = build(TYPES["FairseqConfig"], read[0], context)
    return made


def _group(where: str, group: Any, optimization: Any) -> Entry:
    """Read the schedule and its arguments from one group of a composite optimizer."""
    values = read_entry(where, group, typed=False).values
    optimizer = values.get("optimizer")
    rate = optimizer.get("lr") if isinstance(optimizer, Mapping) else None
    own = {"lr_scheduler": values.get("lr_scheduler"), "lr_float": values.get("lr_float"), "optimization": optimization}
    if own["lr_float"] is None:
        own["lr"] = values.get("lr") if rate is None else rate
    return Entry(where, "", {key: value for key, value in own.items() if value is not None})


FLAGS: Arguments = {
    **{key: (unchecked, None) for row in fairseq.TYPES.values() for key in row.arguments},
    **dict.fromkeys(IGNORED, (without_effect, None)),
}
TYPES = {
    **fairseq.TYPES,
    "FairseqConfig": EntryType(
        "The schedule of a config of fairseq, from its section lr_scheduler or its flags.",
        {
            "lr_scheduler": _name_or_section,
            **dict.fromkeys(("optimization", "optimizer", "checkpoint"), (unchecked, None)),
            "lr_float": (not_negative, None),
            **FLAGS,
        },
        _of_config,
        around={"optimization": ("optimization",)},
        recognition=Recognition(
            "lr_scheduler",
            _names_schedule,
            shown_by=("lr_scheduler",),
            words=("lr", "warmup"),
            beside=SHOWN_BY,
            parts={**ELSEWHERE, "optimizer": ("groups",)},
        ),
    ),
    "LRScheduler": EntryType(
        "The section lr_scheduler of fairseq, a schedule by its _name.",
        {"_name": text, **FLAGS},
        _of_section,
        around={key: (f"optimization.{key}",) for key in OF_OPTIMIZATION},
        recognition=Recognition("_name", _names_schedule, all_keys=True),
    ),
}
