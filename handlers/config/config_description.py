"""Describes a config: its types, the phases of its schedules, the length of the run and the ignored keys."""

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lehr.handlers.core.duration_unit_checks import given_unit
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler_introspection import members_of
from lehr.handlers.schedules import RunLength, StepDecay
from lehr.handlers.schedules.duration_texts import SAMPLES, TOKENS, shown_amount

from .conversion.phases_in_words import in_words
from .conversion.split_into_phases import Phase, phases_of
from .entries_of_other_tools import LIGHTNING, SPELLINGS
from .files import name_of, read
from .plain_containers import as_containers
from .recognition import plain_config
from .run_length_arguments import checked
from .sections import find_section
from .stated_run_length import with_stated

ALWAYS_SHOWN = 100  # if a schedule has one phase and no length, this number of events is shown
STEPS_SHOWN = 5  # if a schedule ends with a step decay, this number of steps is shown
STEPS_OF_SCHEDULE = ("num_training_steps", "total_num_steps")  # these arguments give the iterations of the run


@dataclass(frozen=True)
class ConfigDescription:
    """The description of a config, as sentences and numbers.

    Args:
        section: the path to the schedulers in the config; empty if the whole config describes schedulers.
        types: the types that the config names, with the prefix of their library.
        lines: a mapping from the name of each parameter to sentences about its phases. If the param groups differ, each
            group has an item of its own.
        run: the length of the run.
        ignored: the keys that stand beside the arguments of the types and have no effect.
        num_events: the number of events that a plot must show to show the whole schedule.
    """

    section: str
    types: tuple[str, ...]
    lines: Mapping[str, tuple[str, ...]]
    run: RunLength
    ignored: tuple[str, ...]
    num_events: int

    def run_in_words(self) -> str:
        """Return a text with the length of the run, such as ``"3 epochs, 12 iterations"``."""
        run = self.run
        found = [f"{number} {name}" for number, name in ((run.epochs, "epochs"), (run.steps, "iterations")) if number]
        each = f", with {run.epoch_length} iterations in each" if run.epoch_length is not None and not run.steps else ""
        found += [shown_amount(total, unit) for unit in (TOKENS, SAMPLES) if (total := run.total_of(unit)) is not None]
        return ", ".join(found) + each if found else f"unknown{each}"


def described(scheduler: Any, config: Any, *, dialect: str | None, section: str | None) -> ConfigDescription:
    """Return a description of a config.

    Args:
        scheduler: the scheduler that ``configure_scheduler`` made from the config.
        config: a mapping, a list, or the path of a file.
        dialect: as in ``configure_scheduler``.
        section: as in ``configure_scheduler``.

    Example:
        >>> import torch
        >>> from lehr.handlers import configure_scheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> config = {"lr_scheduler_type": "linear", "warmup_steps": 10, "max_steps": 50, "bf16": True}
        >>> found = described(configure_scheduler(optimizer, config), config, dialect=None, section=None)
        >>> found.types, found.ignored, found.num_events
        (('hf.TrainingArguments',), ('bf16',), 50)
        >>> for line in found.lines["lr"]:
        ...     print(line)
        events 0 to 9: from 0 to 0.1 on a straight line in 10 steps
        events 10 to 49: from 0.1 to 0 on a straight line in 40 steps
    """
    where, whole = "config", scheduler.config()
    if isinstance(config, str | os.PathLike):
        where, config = name_of(config), read(Path(config))
    raw = as_containers(where, config)
    path, part, _ = find_section(where, raw, section, dialect)
    made = plain_config(path, part, dialect)
    run = checked("", {"epoch_length": whole.get("epoch_length"), **whole.get("run", {})})
    run = with_stated(run, made)
    if run.steps is None and run.max_epochs is None and isinstance(made, Mapping):
        given = [made[key] for key in STEPS_OF_SCHEDULE if isinstance(made.get(key), int) and made[key] > 0]
        run = replace(run, total_steps=given[0] if given else None)
    total = run.steps or run.max_epochs
    lines: dict[str, tuple[str, ...]] = {}
    lasts = [1]
    for member in members_of(scheduler):
        if isinstance(member, ParamScheduler):
            groups = range(len(member.optimizer_param_groups))
            of_groups = [phases_of(member.schedule, group, total or math.inf) for group in groups]
            lasts += [_shown(one[-1]) for one in of_groups]
            for label, phases in _labelled(member.param_name, of_groups):
                lines[label] = tuple(in_words(one, given_unit(scheduler)) for one in phases)
    shown = max(lasts) if total is None else total
    types = tuple(dict.fromkeys(_types(made)))
    return ConfigDescription(path.removeprefix(where), types, lines, run, tuple(_ignored(part, made)), int(shown))


def _labelled(name: str, of_groups: list[list[Phase]]) -> Iterator[tuple[str, list[Phase]]]:
    if all(one == of_groups[0] for one in of_groups):
        yield name, of_groups[0]
        return
    for group, phases in enumerate(of_groups):
        yield f"{name}, group {group}", phases


def _shown(last: Phase) -> int:
    """Return the number of events that a plot must show if ``last`` is the last phase of the schedule."""
    length = last.schedule.length or 0
    if isinstance(last.schedule, StepDecay):
        length = STEPS_SHOWN * last.schedule.step_size
    elif not length:
        length = max(last.begin // 4, 1) if last.begin else ALWAYS_SHOWN
    return last.begin + math.ceil(length) * last.every


def _types(made: Any) -> Iterator[str]:
    """Yield the types that a plain config names, the outermost type first."""
    if isinstance(made, Mapping):
        if isinstance(made.get("type"), str):
            yield made["type"]
        for key in ("schedulers", "scheduler"):
            yield from _types(made.get(key))
    elif isinstance(made, list | tuple):
        for one in made:
            yield from _types(one)


def _ignored(raw: Any, made: Any) -> Iterator[str]:
    """Yield the keys of the raw config that are missing in the plain config."""
    if isinstance(raw, list | tuple) and isinstance(made, list | tuple):
        for one, plain in zip(raw, made, strict=False):
            yield from _ignored(one, plain)
    elif isinstance(raw, Mapping) and isinstance(made, Mapping):
        if "scheduler" in raw and set(raw) <= set(LIGHTNING):
            yield from (key for key in ("name", "strict", "reduce_on_plateau") if key in raw)
            yield from _ignored(raw["scheduler"], made)
            return
        known = {"monitor", "name", *SPELLINGS}
        for key in SPELLINGS:
            if key in raw:
                known |= set(SPELLINGS[key].arguments)
        is_named_by_key = len(raw) == 1 and "type" in made and not set(raw) & {*made, *known}
        if not is_named_by_key:
            yield from (str(key) for key in raw if str(key).replace("-", "_") not in made and key not in known)
        yield from _ignored(raw.get("schedulers"), made.get("schedulers"))
