"""The table that :func:`.rank_by_bound` returns, with one row for each schedule."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from lehr.handlers.schedules import arguments

NOTE = "a bound for convex problems: it ranks shapes, and predicts no loss"


@dataclass(frozen=True)
class RankedSchedule:
    """A schedule in a :class:`BoundRanking`.

    Args:
        name: the name of the schedule.
        bound: the bound, in the unit of ``distance`` times ``gradient_norms``.
        excess: how much larger the bound is than the least bound of all schedules, as a fraction. It is 0 for the best
            schedule.
        factor: the factor that minimises the bound if all values of the schedule are multiplied by it.
        peak: the largest value of the schedule, times ``factor``. This is the best peak for the shape of the schedule.

    Example:
        >>> from lehr.handlers.schedules import Anneal, rank_by_bound
        >>> rank_by_bound({"linear": Anneal(1.0, 0.0, 100)}, 100)[0]
        RankedSchedule(name='linear', bound=0.203..., excess=0.0, factor=0.0972..., peak=0.0972...)
    """

    name: str
    bound: float
    excess: float
    factor: float
    peak: float


class BoundRanking(Sequence[RankedSchedule]):
    """The result of :func:`.rank_by_bound`: the schedules, sorted by their bounds. ``print`` shows it as a table.

    Args:
        ranked: the schedules, from the least bound to the largest.
        is_tuned: whether the values of each schedule are multiplied by its best ``factor`` for its bound.

    Example:
        >>> from lehr.handlers.schedules import Anneal, Constant, rank_by_bound
        >>> ranking = rank_by_bound({"constant": Constant(1.0), "linear": Anneal(1.0, 0.0, 100)}, 100)
        >>> ranking.names, round(ranking["constant"].excess, 3)
        (['linear', 'constant'], 0.221)
    """

    def __init__(self, ranked: Sequence[RankedSchedule], is_tuned: bool) -> None:
        self.ranked: tuple[RankedSchedule, ...] = tuple(ranked)
        self.is_tuned = is_tuned

    @property
    def names(self) -> list[str]:
        """The names of the schedules, from the least bound to the largest."""
        return [one.name for one in self.ranked]

    @overload
    def __getitem__(self, at: int | str) -> RankedSchedule: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[RankedSchedule]: ...
    def __getitem__(self, at: int | str | slice) -> RankedSchedule | Sequence[RankedSchedule]:
        """Return the schedule at a rank, counting from 0, or the schedule with a name."""
        if not isinstance(at, str):
            return self.ranked[at]
        if at not in self.names:
            raise KeyError(f"{arguments.shown(at)}: the ranking has {arguments.shown_names(self.names)}")
        return self.ranked[self.names.index(at)]

    def __len__(self) -> int:
        return len(self.ranked)

    def __repr__(self) -> str:
        return f"<BoundRanking of {arguments.shown_names(self.names)}>"

    def __str__(self) -> str:
        heading, at = ("best peak", self.ranked[0].peak) if self.is_tuned else ("best factor", 1.0)
        rows = [["schedule", "bound", heading]]
        for one in self.ranked:
            best = one.peak / at if self.is_tuned else one.factor
            rows.append([one.name, "least" if one is self.ranked[0] else f"+{one.excess:.1%}", f"{best:.3g}"])
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        tuned = "; best peaks are relative to the first one" if self.is_tuned else ""
        return "\n".join([f"{NOTE}{tuned}", *table])
