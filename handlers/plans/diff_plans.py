"""Compares two plans and returns their differences as data, as text and as a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lehr.engine.plots import COLORS, style_of, without_math
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.base import Array

from .compared_forecasts import are_forecasts, forecast_lines
from .plan import Plan, title_of
from .plot_plan import panels_for
from .relation_words import in_plans
from .relations_to_plan import find_relations
from .secondary_axis import add_unit, unit_along_the_top
from .series_relations import Points

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Difference:
    """The difference between two plans in one param group under one name.

    Args:
        name: the name in both plans.
        label: the name of the param group. It is empty if the value is in no param group.
        first: the first iteration at which the plans differ, from 0.
        values: the values of both plans at ``first``.
        num_iterations: the number of iterations at which the plans differ.
        ratio: the largest ratio of the larger to the smaller value. It is infinite if one of the two values is 0.
        ratio_at: the iteration of the largest ratio, from 0.
        area: the sum of ``|a - b|`` over the iterations.
        group: the index of the group.

    Example:
        >>> print(Difference("lr", "head", 2, (0.4, 0.8), num_iterations=5, ratio=2.0, ratio_at=2, area=1.0))
        lr, head: from iteration 3 on (0.4 and 0.8), at 5 of them; ratio up to 2, at iteration 3; area 1
    """

    name: str
    label: str
    first: int
    values: tuple[float, float]
    num_iterations: int
    ratio: float
    ratio_at: int
    area: float
    group: int = 0

    def __str__(self) -> str:
        where = f"{self.name}, {self.label}" if self.label else self.name
        one, other = self.values
        return (
            f"{where}: from iteration {self.first + 1} on ({one:.4g} and {other:.4g}), "
            f"at {self.num_iterations} of them; ratio up to {self.ratio:.4g}, at iteration {self.ratio_at + 1}; "
            f"area {self.area:.4g}"
        )


MOST_EXPLAINED = 16  # if more distinct pairs of groups differ, no explanation is searched for
# Values with a smaller relative difference may come from another order of operations.
ROUNDING = 1e-9


class PlanDiff(Sequence[Difference]):
    """The differences between two plans: a sequence, which is false if the plans are equal.

    Args:
        a: the first plan.
        b: the second plan.
        differences: the differences in names and groups that both plans have.
        notes: texts about the names, groups and iterations that only one plan has.
        rtol: the relative difference up to which two values are equal.

    Example:
        >>> import torch
        >>> from lehr.handlers import CosineDecayScheduler, LinearScheduler, dry_run
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> one, other = (kind(optimizer, "lr", 4) for kind in (CosineDecayScheduler, LinearScheduler))
        >>> diff = diff_plans(dry_run(one, 1, 4), dry_run(other, 1, 4))
        >>> len(diff), diff[0].num_iterations, round(diff[0].ratio, 2)
        (1, 2, 1.71)
    """

    def __init__(
        self, a: Plan, b: Plan, differences: Sequence[Difference], notes: Sequence[str], rtol: float = 0.0
    ) -> None:
        self.rtol: float = rtol
        self.a: Plan = a
        self.b: Plan = b
        self.differences: tuple[Difference, ...] = tuple(differences)
        self.notes: tuple[str, ...] = tuple(notes)

    def __getitem__(self, at: Any) -> Any:
        return self.differences[at]

    def __len__(self) -> int:
        return len(self.differences)

    def __bool__(self) -> bool:
        return bool(self.differences or self.notes)

    def __str__(self) -> str:
        lines = [*self.notes, *map(str, self.differences), self.explanation]
        lines += self.forecasts
        return "\n".join(filter(None, lines)) or "no difference"

    @property
    def forecasts(self) -> list[str]:
        """Texts about how the forecasts differ at the ends of the plans, or an empty list without two forecasts."""
        return [*forecast_lines(self.a, self.b)] if self else []

    @property
    def explanation(self) -> str:
        """A relation that explains all differences, such as ``"b is a, 1 iteration later"``, or an empty text."""
        common: list[str] | None = None
        seen = set[tuple[bytes, bytes]]()
        for one in self.differences:
            mine, theirs = (values[:, one.group] for values in _comparable(self.a, self.b, one.name))
            key = mine.tobytes(), theirs.tobytes()
            if key in seen:
                continue
            seen.add(key)
            if len(seen) > MOST_EXPLAINED:
                return ""
            sizes = np.abs(np.nan_to_num(theirs))
            errors = max(self.rtol, ROUNDING) * sizes + 1e-12 * sizes.max()
            relations = find_relations(Points(np.arange(len(theirs)), theirs, errors), mine, self.a.epoch_length)
            common = [words for words in map(in_plans, relations) if common is None or words in common]
            if not common:
                return ""
        return common[0] if common else ""

    def plot(self, axes: "Axes | Sequence[Axes] | None" = None, labels: tuple[str, str] = ("a", "b")) -> "list[Axes]":
        """Draw both plans in one panel for each name that both have, and shade the area between the plans.

        A vertical line marks the first difference. The method does not show or save the figure.

        Args:
            axes: the axes to draw into, one for each panel. If None, a new figure is made.
            labels: the labels of the two plans.

        Returns:
            The axes, one for each panel.
        """
        names = [name for name in self.a if name in self.b]
        panels = panels_for(axes, names)
        for panel, name in zip(panels, names, strict=True):
            one, other = _comparable(self.a, self.b, name)
            iterations = np.arange(1, len(one) + 1)
            for group in range(min(one.shape[1], other.shape[1])):
                for plan, (values, label) in enumerate(zip((one, other), labels, strict=True)):
                    (line,) = panel.plot(iterations, values[:, group], **style_of(plan, 2))
                    line.set_label(label if group == 0 else f"_{label}")  # the legend has one entry for all groups
                panel.fill_between(iterations, one[:, group], other[:, group], color=COLORS[4], alpha=0.3, linewidth=0)
            first = min((one.first for one in self.differences if one.name == name), default=None)
            if first is not None:
                panel.axvline(first + 1, color="0.4", linewidth=0.8, linestyle=":")
            panel.set_ylabel(without_math(name))
            panel.grid(True, alpha=0.3)
            panel.legend()
            panel.set_xlim(0.5, len(one) + 0.5)
        if panels:
            panels[-1].set_xlabel("iteration")
            panels[0].set_title(" and ".join(dict.fromkeys(map(title_of, (self.a, self.b)))), fontsize="medium")
            if self.a.epoch_length == self.b.epoch_length:
                add_unit(panels[0], self.a, *unit_along_the_top(self.a, "epochs", None))
        return panels


def diff_plans(a: Plan, b: Plan, *, rtol: float = 0.0) -> PlanDiff:
    """Compare two plans, name by name, group by group and iteration by iteration.

    A plan with one group is compared with each group of the other plan. Iterations that only one plan has are ignored.

    Args:
        a: the first plan, from :func:`dry_run`.
        b: the second plan.
        rtol: the relative difference up to which two values are equal, at least 0.

    Returns:
        A :class:`~lehr.handlers.plans.PlanDiff`, which is a sequence of :class:`~lehr.handlers.plans.Difference`. It is
        false if the plans are equal. You can ``print`` it, or draw it with its method ``plot``. If a simple relation
        explains all differences, the text ends with a line such as ``b is a, 1 iteration later``. If both plans have a
        forecast of the loss, the text also ends with the difference between the two forecasts at the ends of the plans.

    Raises:
        TypeError: ``a`` or ``b`` is not a plan.
        ValueError: ``rtol`` is negative.

    Example:
        >>> import torch
        >>> from ignite.engine import Engine
        >>> from lehr.handlers import StepScheduler, dry_run
        >>> def plan(step_size):
        ...     optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
        ...     trainer = Engine(lambda engine, batch: optimizer.step())
        ...     StepScheduler(optimizer, "lr", step_size, gamma=0.5).attach(trainer)
        ...     return dry_run(trainer, max_epochs=2, epoch_length=4)
        >>> diff = diff_plans(plan(2), plan(3))
        >>> print(diff)
        lr, group 0: from iteration 3 on (0.4 and 0.8), at 5 of them; ratio up to 2, at iteration 3; area 1
        >>> diff[0].first, diff[0].ratio, round(diff[0].area, 3)
        (2, 2.0, 1.0)
        >>> bool(diff_plans(plan(2), plan(2)))
        False
    """
    for name, plan in (("a", a), ("b", b)):
        if not isinstance(plan, Plan):
            raise TypeError(f"{name} must be a Plan that dry_run returned, given {arguments.shown(plan)}")
    rtol = arguments.number("rtol", rtol, at_least=0)
    notes = [
        f"{name}: only in {where}"
        for one, other, where in ((a, b, "the first"), (b, a, "the second"))
        for name in one
        if name not in other
    ]
    if a.num_iterations != b.num_iterations:
        notes.append(f"{a.num_iterations} and {b.num_iterations} iterations: only the first ones are compared")
    differences: list[Difference] = []
    for name in a:
        if name in b and not are_forecasts(a, b, name):
            one, other = _comparable(a, b, name)
            if one.shape[1] != other.shape[1]:
                notes.append(f"{name}: {one.shape[1]} and {other.shape[1]} groups: only the first ones are compared")
            labels = max(a.columns[name].labels, b.columns[name].labels, key=len)
            differences += _differences(name, labels, one, other, rtol)
    return PlanDiff(a, b, differences, notes, rtol)


def _comparable(a: Plan, b: Plan, name: str) -> tuple[Array, Array]:
    """Return the values of both plans, cut to the same iterations. A single group is repeated for each group."""
    length = min(a.num_iterations, b.num_iterations)
    one, other = a[name][:length], b[name][:length]
    groups = max(one.shape[1], other.shape[1])
    return tuple(np.repeat(values, groups, axis=1) if values.shape[1] == 1 else values for values in (one, other))  # type: ignore[return-value]


def _differences(name: str, labels: Sequence[str], one: Array, other: Array, rtol: float) -> Iterator[Difference]:
    for group in range(min(one.shape[1], other.shape[1])):
        mine, theirs = one[:, group], other[:, group]
        differ = ~np.isclose(mine, theirs, rtol=rtol, atol=0, equal_nan=True)
        if not differ.any():
            continue
        at = np.flatnonzero(differ)
        low, high = np.sort(np.abs(np.stack([mine[at], theirs[at]])), axis=0)
        opposite = np.sign(mine[at]) * np.sign(theirs[at]) < 0
        ratios = np.divide(high, low, out=np.full(len(at), np.inf), where=(low > 0) & ~opposite)
        ratios[np.isnan(high)] = np.inf
        first, most = int(at[0]), int(np.argmax(ratios))
        values, area = (float(mine[first]), float(theirs[first])), float(np.nansum(np.abs(mine - theirs)))
        yield Difference(name, labels[group], first, values, len(at), float(ratios[most]), int(at[most]), area, group)
