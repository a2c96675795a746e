"""Checks the data that a page shows: a plan, its findings, a recorded history and another plan."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lehr.engine import ParamHistory
from lehr.handlers.plans.checks.findings import Finding, Findings
from lehr.handlers.plans.diff_plans import Difference, PlanDiff, diff_plans
from lehr.handlers.plans.plan import Plan
from lehr.handlers.schedules.arguments import shown

from .downsampling import kept_points
from .placed_findings import PlacedFindings, placed
from .traces import Panel


@dataclass(frozen=True)
class Contents:
    """The plans, findings and history that a page shows.

    Args:
        plan: the plan.
        findings: the findings about the plan.
        recorded: the history of the run, or None.
        other: another plan, or None.
        labels: the names of ``plan`` and ``other``.
    """

    plan: Plan
    findings: Sequence[Finding]
    recorded: ParamHistory | None
    other: Plan | None
    labels: tuple[str, str]

    @property
    def plans(self) -> list[Plan]:
        """The plans, from left to right."""
        return [self.plan] if self.other is None else [self.plan, self.other]

    @property
    def names(self) -> list[str]:
        """The names that the plans contain, in the order of their panels from top to bottom."""
        return list(dict.fromkeys(name for plan in self.plans for name in plan))

    @cached_property
    def places(self) -> list[PlacedFindings]:
        """The findings that are about a name and an iteration of the plan."""
        return placed(self.findings, self.plan)

    @cached_property
    def differences(self) -> PlanDiff | None:
        """The differences between the two plans, or None if there is only one plan."""
        return None if self.other is None else diff_plans(self.plan, self.other)

    def places_in(self, panel: Panel) -> list[PlacedFindings]:
        """Return the findings that are about certain iterations of the values in a panel."""
        return [place for place in self.places if panel.column == 0 and place.name == panel.name]

    def difference_in(self, panel: Panel) -> Difference | None:
        """Return the earliest difference under the name of a panel, or None if there is none."""
        differences = [one for one in self.differences or () if one.name == panel.name]
        return min(differences, key=lambda one: one.first, default=None)

    def kept_in(self, panel: Panel, most: int) -> NDArray[np.int64]:
        """Return the iterations whose values a panel draws: about ``most`` of them, and the iterations with a mark."""
        difference = self.difference_in(panel)
        marked = [place.iteration for place in self.places_in(panel)]
        marked += [span.first for span in panel.plan.columns[panel.name].spans]
        marked += [] if difference is None else [difference.first]
        return kept_points([*panel.lines.values()], most, marked)


def checked_contents(
    plan: Plan,
    findings: Iterable[Finding] | None,
    recorded: ParamHistory | None,
    other: Plan | None,
    labels: Sequence[str],
) -> Contents:
    """Return the checked contents of a page.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: ``labels`` does not have two items.
    """
    found = list(findings) if isinstance(findings, Iterable) else findings
    if found is not None and not (isinstance(found, list) and all(isinstance(one, Finding) for one in found)):
        raise TypeError(f"findings must be findings that check_plan returned, or None, given {shown(findings)}")
    if not isinstance(recorded, ParamHistory | None):
        raise TypeError(f"recorded must be a ParamHistory or None, given {shown(recorded)}")
    if not isinstance(other, Plan | None):
        raise TypeError(f"other must be a Plan that dry_run returned, or None, given {shown(other)}")
    if not isinstance(labels, tuple | list) or not all(isinstance(label, str) for label in labels):
        raise TypeError(f"labels must be two strings, given {shown(labels)}")
    if len(labels) != 2:
        raise ValueError(f"labels must be two strings, given {shown(labels)}")
    return Contents(plan, Findings(found or ()), recorded, other, (labels[0], labels[1]))
