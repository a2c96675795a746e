"""Several entries of a config: all in force at once, or one after another."""

import difflib
import inspect
import math
from collections.abc import Callable, Iterable

import numpy as np

from lehr.handlers.config.dialects.cerebras_compounds import NAMES as CEREBRAS
from lehr.handlers.config.dialects.cerebras_compounds import cerebras_piece
from lehr.handlers.config.dialects.lehr_classes import CLASSES
from lehr.handlers.config.dialects.mmagic import NAMES as MMAGIC
from lehr.handlers.config.dialects.mmagic import mmagic_piece
from lehr.handlers.config.dialects.mmengine import MMENGINE, mmengine_piece
from lehr.handlers.config.dialects.timm import BUILDERS as TIMM
from lehr.handlers.config.dialects.timm import timm_piece
from lehr.handlers.config.dialects.torch_compounds import NAMES as TORCH
from lehr.handlers.config.dialects.torch_compounds import torch_chain, torch_piece
from lehr.handlers.config.dialects.transformers import NAMES as TRANSFORMERS
from lehr.handlers.config.dialects.transformers import transformers_piece
from lehr.handlers.core.param_group_scheduler import ParamGroupScheduler
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedulers.metric_scheduler import MetricScheduler
from lehr.handlers.schedules import Schedule, arguments
from lehr.handlers.schedules.durations import duration_in_events
from lehr.handlers.schedules.stateful import stateful_parts
from lehr.handlers.targets.param_groups import ParamGroups

from .context import Target
from .entries import Entry, located
from .entry_schedules import Piece, one_after_another, together

Nested = Callable[[Target, Entry], BaseParamScheduler]
DIALECTS: dict[str, Callable[[Target, str, Entry], Piece]] = {
    "cerebras": cerebras_piece,
    "mmagic": mmagic_piece,
    "mmengine": mmengine_piece,
    "timm": timm_piece,
    "torch": torch_piece,
    "transformers": transformers_piece,
}

NAMES: dict[str, Iterable[str]] = {
    "cerebras": CEREBRAS,
    "mmagic": MMAGIC,
    "mmengine": MMENGINE,
    "timm": TIMM,
    "torch": TORCH,
    "transformers": TRANSFORMERS,
}


def save_history_of(given: Entry) -> bool:
    """Whether an entry says that what is written is to be recorded."""
    return arguments.flag(f"{given.where}['save_history']", given.given.get("save_history", False))


def piece_of(target: Target, given: Entry) -> Piece:
    """What an entry of another library comes to."""
    prefix, _, name = given.type.partition(".")
    if name not in NAMES.get(prefix, ()):
        refuse_type(given)
    param_name = given.given.get("param_name", target.param_name)
    if not isinstance(param_name, str):
        raise TypeError(f"{given.where}['param_name'] must be a string, given {param_name!r}")
    where = f"{given.where}['param_name']" if "param_name" in given.given else given.where
    located(where, ParamGroups, target.optimizer, param_name, None)
    target = target.of(param_name)
    return DIALECTS[prefix](target, name, given.without("type", "param_name"))


def refuse_type(given: Entry) -> None:
    """Raise for a type that is unknown, with the names that come near in any library."""
    last = given.type.rpartition(".")[2].casefold()
    full = {
        name: [f"{prefix}.{name}" for prefix in NAMES if name in NAMES[prefix]]
        for prefix in NAMES
        for name in NAMES[prefix]
    }
    full |= {name: [*full.get(name, []), name] for name in CLASSES}
    folded = {name.casefold(): name for name in full}
    near = difflib.get_close_matches(last, folded, n=3, cutoff=0.6)
    near = near[:1] if last in folded else near
    preferred = given.type.partition(".")[0].lower()
    found = sorted((one for name in near for one in full[folded[name]]), key=lambda one: not one.startswith(preferred))
    hint = f"did you mean {' or '.join(map(repr, found[:4]))}?" if found else "names of other libraries have a prefix"
    raise ValueError(
        f"{given.where}['type'] must be a known one, with the prefix {', '.join(f'{prefix!r}' for prefix in NAMES)} or "
        f"none for lehr's own, given {given.type!r}; {hint}"
    )


def _any_piece(target: Target, given: Entry, nested: Nested, in_sequence: bool = False) -> Piece:
    """What an entry of a list comes to, be it of another library or of lehr itself."""
    if "." in given.type:
        return piece_of(target, given.without("duration") if in_sequence else given)
    takes_it = "duration" in inspect.signature(CLASSES.get(given.type, object).__init__).parameters
    scheduler = nested(target, given if takes_it or not in_sequence else given.without("duration"))
    if type(scheduler) is ParamGroupScheduler or not isinstance(scheduler, ParamScheduler):
        raise ValueError(f"{given.where}['type'] must be a scheduler of one parameter in a list, given {given.type!r}")
    if scheduler.param_group_index is not None or stateful_parts(scheduler.schedule):
        raise ValueError(f"{given.where} must be for all param groups, and not driven by a metric, to stand in a list")
    schedule, length = scheduler.schedule, given.given.get("duration") if takes_it else None
    duration = None if length is None else math.ceil(length * (target.epoch_length or 1))
    return Piece(given.where, target.of(scheduler.param_name), lambda value: schedule, duration=duration)


def _is_stepped_by_torch(given: Entry) -> bool:
    """Whether it is one that torch would step in a chain with others, which it refuses to do with a plateau."""
    plain = given.type.startswith("torch.") and given.type != "torch.ReduceLROnPlateau"
    return plain and "param_name" not in given.given


def _refuse_mixed_clocks(target: Target, listed: list[Entry]) -> None:
    """Raise where some of mmengine's entries count epochs and others iterations, and nobody says how they relate."""
    clocked = [one for one in listed if one.type.startswith(("mmengine.", "mmagic.")) and "Reduce" not in one.type]
    by_epoch = [one.given.get("by_epoch", True) for one in clocked]
    if target.epoch_length is None and True in by_epoch and False in by_epoch:
        first, second = clocked[by_epoch.index(True)], clocked[by_epoch.index(False)]
        raise ValueError(
            f"{first.where} counts epochs and {second.where} iterations: epoch_length must be given, given None"
        )


def _param_of(target: Target, given: Entry) -> object:
    return given.given.get("param_name", target.param_name)


def of_list(target: Target, whole: Entry, listed: list[Entry], nested: Nested) -> BaseParamScheduler:
    """A scheduler out of several entries.

    Args:
        target: what it is for.
        whole: what stands beside the entries.
        listed: the entries.
        nested: makes a scheduler of an entry.
    """
    sequential = arguments.flag(f"{whole.where}['sequential']", whole.given.get("sequential", False))
    save_history = save_history_of(whole) or any(save_history_of(one) for one in listed)
    listed = [one.without("save_history") for one in listed]
    if not sequential:
        for key in ("milestones", "durations"):
            if key in whole.given:
                raise ValueError(f"{whole.where}[{key!r}] is for schedulers one after another: add 'sequential': true")
        _refuse_mixed_clocks(target, listed)
        mixed = [one for one in listed if "." not in one.type]
        if mixed and len({_param_of(target, one) for one in listed}) < len(listed):
            raise ValueError(
                f"{mixed[0].where}: lehr's own schedulers do not work upon one another: put them in sequence with "
                "'sequential': true, or into a ChainedScheduler to multiply them"
            )
        if len(listed) > 1 and all(map(_is_stepped_by_torch, listed)):
            chained = [(one.type.removeprefix("torch."), one.without("type")) for one in listed]
            return written([torch_chain(target, chained)], together, save_history)
        return written([_any_piece(target, one, nested) for one in listed], together, save_history)
    pieces = [_any_piece(target, one, nested, in_sequence=True) for one in listed]
    durations = _durations(target, whole, listed, pieces)
    for piece in pieces:
        if piece.target.param_name != pieces[0].target.param_name:
            raise ValueError(f"{piece.where} must be for {pieces[0].target.param_name!r} like the first entry")
        if piece.covers is not None or pieces[0].covers is not None:
            raise ValueError(f"{piece.where}: param_group_tags cannot stand in a sequence: put it into a SequentialLR")
        if piece.momentum is not None:
            raise ValueError(f"{piece.where}: cycle_momentum must be false in a sequence: put it into a SequentialLR")
    return written(pieces, lambda of_one: one_after_another(of_one, durations), save_history)


def _durations(target: Target, whole: Entry, listed: list[Entry], pieces: list[Piece]) -> list[int]:
    """How many events each entry but the last is in force."""

    def events(name: str, value: object) -> int:
        if target.epoch_length is None:
            return arguments.whole_number(name, value, at_least=0)
        arguments.number(name, value, at_least=0)
        return int(duration_in_events(name, value, target.epoch_length))

    own = [
        events(f"{one.where}['duration']", one.given["duration"]) if "duration" in one.given else piece.duration
        for one, piece in zip(listed, pieces, strict=True)
    ]
    said = [key for key in ("durations", "milestones") if key in whole.given]
    said += ["duration of an entry" for one in listed[:-1] if "." in one.type and "duration" in one.given][:1]
    if len(said) > 1:
        raise ValueError(f"{whole.where}: lengths must be given once, given {' and '.join(said)}")
    for key in ("durations", "milestones"):
        if key in whole.given:
            given = whole.given[key]
            if not isinstance(given, list | tuple) or len(given) != len(pieces) - 1:
                raise ValueError(f"{whole.where}[{key!r}] must be a list of {len(pieces) - 1} numbers, given {given!r}")
            numbers = [events(f"{whole.where}[{key!r}][{at}]", number) for at, number in enumerate(given)]
            if key == "milestones" and numbers != sorted(numbers):
                raise ValueError(f"{whole.where}['milestones'] must rise, given {given!r}")
            return numbers if key == "durations" else np.diff([0, *numbers]).tolist()
    for one, duration in zip(listed[:-1], own[:-1], strict=True):
        if duration is None:
            raise ValueError(f"{one.where}: 'duration' must be given, the number of events until the next one begins")
    return [int(duration) for duration in own[:-1] if duration is not None]


def written(pieces: list[Piece], combined: Callable[[list[Piece]], Schedule], save_history: bool) -> BaseParamScheduler:
    """A scheduler for the parameters of some pieces: one, or one for each in a group scheduler."""
    optimizer = pieces[0].target.optimizer
    of_param: dict[str, list[Piece]] = {}
    for piece in pieces:
        of_param.setdefault(_key(piece.target), []).append(piece)
    schedules = {name: located(some[0].where, combined, some) for name, some in of_param.items()}
    for piece in pieces:
        if piece.momentum is not None and piece.target.param_name == "lr":
            momentum = piece.target.of("momentum")
            name = _momentum_key(piece, momentum)
            if name in schedules:
                raise ValueError(f"{piece.where}: another entry writes the momentum too: set 'cycle_momentum' to false")
            schedules[name] = piece.momentum
    names = {_key(piece.target): piece.target.param_name for piece in pieces}
    by_metric = [piece for piece in pieces if piece.metric_name is not None]
    if by_metric:
        if len(schedules) > 1:
            raise ValueError(
                f"{by_metric[0].where}: what is driven by a metric must be attached by itself, in a config of its own"
            )
        [(name, schedule)] = schedules.items()
        metric = by_metric[0].metric_name, by_metric[0].metric_every
        given = (optimizer, names[name], metric[0], schedule, save_history)
        return located(pieces[0].where, MetricScheduler, *given, every=metric[1])  # type: ignore[no-any-return]
    if len(schedules) == 1:
        [(name, schedule)] = schedules.items()
        return located(pieces[0].where, ParamScheduler, optimizer, names[name], save_history, schedule=schedule)  # type: ignore[no-any-return]
    members = [
        located(pieces[0].where, ParamScheduler, optimizer, names.get(name, "momentum"), schedule=schedule)
        for name, schedule in schedules.items()
    ]
    return ParamGroupScheduler(members, save_history=save_history)


def _key(target: Target) -> str:
    """A parameter by the place it has in the param groups: momentum may be ``betas[0]``."""
    slot = ParamGroups(target.optimizer, target.param_name, None)
    return slot.key if slot.item is None else f"{slot.key}[{slot.item}]"


def _momentum_key(piece: Piece, momentum: Target) -> str:
    try:
        return _key(momentum)
    except ValueError as error:
        raise ValueError(
            f"{piece.where}['cycle_momentum'] must be false for an optimizer without momentum or betas, given true"
        ) from error
