"""The event of several writers that the one before has prepared, so that the usual case takes little time."""

from collections.abc import Callable, Sequence
from types import BuiltinFunctionType
from typing import Any, NamedTuple

from ignite.engine import Engine

from lehr.handlers.targets.group_selection import Group
from lehr.handlers.targets.param_groups import HasParamGroups

from .param_scheduler import ParamScheduler
from .scheduler import BaseParamScheduler

Appends = Sequence[Callable[[Any], None]]
Writes = list[tuple[list[Group], str, list[float]]]


class Part(NamedTuple):
    """What a writer is known to do at its next events, unless something has changed by then.

    Args:
        optimizer: whose param groups it writes.
        known: their list, which loading a state replaces.
        number: how many they are; adding one makes the list longer.
        chosen: which of them it writes.
        key: the entry.
        first_event: the first event of those values that were read ahead.
        values: these: a float for each event, or a row of them.
        width: how many groups it writes, if they have one value; 0 where each has its own.
        row: the number of the history in which it is recorded.
    """

    optimizer: HasParamGroups
    known: list[Group]
    number: int
    chosen: slice
    key: str
    first_event: int
    values: Any
    width: int
    row: int


class PreparedEvent(NamedTuple):
    """What several writers are known to do at their next events, unless something has changed by then.

    Args:
        name: the one name of all histories that the event was called with; None where they have their own.
        parts: what each of them does.
        runs: the histories' names, and the runs of events in them that are added to.
        appends: what adds to them.
    """

    name: str | None
    parts: list[Part]
    runs: list[tuple[str, Any]]
    appends: Appends

    def ready(
        self, index: int, engine: Engine | None, name: str | None
    ) -> tuple[Writes, Appends, list[list[float]]] | None:
        """The groups, keys and values to write at an event, and the rows to record; None if anything has changed.

        Nothing is written here, and every group is looked at, so that all of it is written, or none.
        """
        prepared_name, parts, runs, appends = self
        writes: Writes = []
        rows: list[list[float]] = [[] for _ in runs]
        try:
            for own_name, run in runs:
                if name != prepared_name or engine.state.param_history.columns[own_name].section is not run:  # type: ignore[union-attr]
                    return None
            for optimizer, known, number, chosen, key, start, values, width, row in parts:
                groups = optimizer.param_groups
                if groups is not known or len(groups) != number:
                    return None
                value = values[index - start]
                own = [value] * width if width else value.tolist()
                groups = groups[chosen]
                for group in groups:
                    if type(group[key]) is not float:
                        return None
                writes.append((groups, key, own))
                if rows:
                    rows[row] += own
        except (LookupError, AttributeError):  # a block has come to its end, or there is no such history now
            return None
        return writes, appends, rows


def prepared(
    writers: Sequence[BaseParamScheduler],
    name: str | None,
    names: Sequence[str],
    runs: list[tuple[str, Any]],
    appends: Appends,
) -> PreparedEvent | None:
    """What they are likely to do next; None where one of them does more than to put known floats into groups.

    Args:
        writers: those who write.
        name: the one name of all histories that the event was called with, if there is one.
        names: the history of each of them.
        runs: the histories in which it is recorded, if any, and the runs of events in them that are added to.
        appends: what adds to them.
    """
    # A history that is thinned is recorded in by a function, which an interrupt may end half-way.
    if not all(isinstance(append, BuiltinFunctionType) for append in appends):
        return None
    histories, parts = [own_name for own_name, _ in runs], []
    for writer, own_name in zip(writers, names, strict=True):
        part = _part_of(writer, histories.index(own_name) if runs else 0)
        if part is None:
            return None
        parts.append(part)
    return PreparedEvent(name, parts, runs, appends)


def _part_of(writer: BaseParamScheduler, row: int) -> Part | None:
    if not isinstance(writer, ParamScheduler) or not len(writer._block.values):
        return None
    slot, block = writer._slot, writer._block
    chosen, known = slot.plain_part(), slot.optimizer.param_groups
    if chosen is None:
        return None
    width = len(known[chosen])
    if block.groups not in (0, width):
        return None
    own = 0 if block.groups else width
    return Part(slot.optimizer, known, len(known), chosen, slot.key, block.first_event, block.values, own, row)
