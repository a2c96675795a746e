"""Tables of the types that a config may name: one table for each library, and one for lehr's own schedulers.

Each row of a table is an ``EntryType``. It holds the description of the type, the checks and defaults of its arguments,
and the function that makes its schedule. Error texts and the catalogue come from the same rows. The tables are
formatted by hand so that each row stays together.
"""

import difflib
from collections.abc import Mapping
from dataclasses import replace

from lehr.handlers.config.argument_validators import text
from lehr.handlers.config.context import ConfigContext
from lehr.handlers.config.entries import Entry, EntryType, build, in_interval, located
from lehr.handlers.config.entry_schedules import EntrySchedule
from lehr.handlers.schedules.arguments import shown

from . import (
    cerebras_optimizer,
    cerebras_types,
    composer,
    deepspeed,
    detectron2,
    fairseq_files,
    keras,
    megatron,
    mmagic,
    mmcv,
    mmengine_extensions,
    nemo,
    olmo,
    optax,
    paddle,
    paddle_clas,
    paddle_detection,
    timm_args,
    torch_nested,
    torchtitan,
    transformers,
    transformers_args,
)
from .lehr import SCHEDULERS

TYPES: dict[str, Mapping[str, EntryType]] = {
    "cerebras": {**cerebras_types.TYPES, **cerebras_optimizer.TYPES},
    "composer": composer.TYPES,
    "deepspeed": deepspeed.TYPES,
    "detectron2": detectron2.TYPES,
    "fairseq": fairseq_files.TYPES,
    "hf": transformers_args.TYPES,
    "keras": keras.TYPES,
    "megatron": megatron.TYPES,
    "mmagic": mmagic.TYPES,
    "mmcv": mmcv.TYPES,
    "mmengine": mmengine_extensions.TYPES,
    "nemo": nemo.TYPES,
    "olmo": olmo.TYPES,
    "optax": optax.TYPES,
    "paddle": {**paddle.CLASSES, **paddle_clas.TYPES, **paddle_detection.TYPES},
    "timm": timm_args.TYPES,
    "torch": torch_nested.TYPES,
    "torchtitan": torchtitan.TYPES,
    "transformers": transformers.TYPES,
}


def entry_schedule(context: ConfigContext, entry: Entry) -> EntrySchedule:
    """Make the schedule of an entry whose type belongs to another library."""
    prefix, _, name = entry.type.partition(".")
    if name not in TYPES.get(prefix, {}):
        refuse_type(entry)
    context, entry = in_interval(context, entry)
    where = entry.where
    if "param_name" in entry.values:
        where = f"{where}['param_name']"
        context = context.of(text(where, entry.values["param_name"]))
        entry = entry.without("param_name")
    located(where, getattr, context, "slot")
    if prefix == "transformers":
        name, entry = transformers.by_short_name(name, entry)
        entry = transformers.of_run(name, entry, context)
    schedule: EntrySchedule = build(TYPES[prefix][name], entry, context)
    return replace(schedule, where=entry.where)


def refuse_type(entry: Entry) -> None:
    """Raise an error for an unknown type. The error suggests similar names from all libraries."""
    full: dict[str, list[str]] = {}
    for prefix, types in TYPES.items():
        for name in types:
            full.setdefault(name, []).append(f"{prefix}.{name}")
    for name in SCHEDULERS:
        full.setdefault(name, []).append(name)
    folded = {name.casefold(): name for name in full}
    last = entry.type.rpartition(".")[2].casefold()
    near = [last] if last in folded else difflib.get_close_matches(last, folded, n=3, cutoff=0.6)
    preferred = entry.type.partition(".")[0].lower()
    bare = "." not in entry.type
    found = [one for name in near for one in full[folded[name]]]
    found.sort(key=lambda one: (not one.startswith(preferred), bare and "." in one))
    hint = f"did you mean {' or '.join(map(repr, found[:4]))}?" if found else "a type of another library needs a prefix"
    raise ValueError(
        f"{entry.where}['type'] must be a known type, with the prefix {', '.join(map(repr, TYPES))}, or "
        f"without a prefix for lehr's own types, given {shown(entry.type)}; {hint}"
    )
