"""Finds the name and the iteration of the plan that a finding is about, so that a page can mark the finding."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from lehr.handlers.plans.checks.findings import SEVERITIES, Finding
from lehr.handlers.plans.plan import Plan, PlanColumn

AT_THE_START = ("late-event", "not-reset", "not-restored", "past-end", "zero-start")


@dataclass(frozen=True)
class PlacedFindings:
    """The findings about one iteration under one name.

    Args:
        name: the name in the plan.
        iteration: the iteration, from 0.
        numbered: the findings, each with its number in the list of all findings, from 1.
    """

    name: str
    iteration: int
    numbered: tuple[tuple[int, Finding], ...]

    @property
    def severity(self) -> str:
        """The highest severity of the findings."""
        return min((finding.severity for _, finding in self.numbered), key=SEVERITIES.index)


def placed(findings: Iterable[Finding], plan: Plan) -> list[PlacedFindings]:
    """Group findings by the name and the iteration that they are about. Other findings are left out."""
    found: dict[tuple[str, int], list[tuple[int, Finding]]] = {}
    for number, finding in enumerate(findings, start=1):
        for name, column in plan.columns.items():
            iteration = _iteration_of(finding, plan, column) if repr(name) in finding.where else None
            if iteration is not None and plan.start <= iteration < plan.num_iterations:
                found.setdefault((name, iteration), []).append((number, finding))
    return [PlacedFindings(*place, tuple(numbered)) for place, numbered in sorted(found.items())]


def _iteration_of(finding: Finding, plan: Plan, column: PlanColumn) -> int | None:
    """Return the iteration that a finding is about, counted from 0, or None if it is about the whole run."""
    numbers = finding.numbers
    if isinstance(numbers.get("iteration"), int):
        return int(numbers["iteration"])
    if finding.code in AT_THE_START:
        return plan.start
    if finding.code == "end-not-reached":
        return plan.num_iterations - 1
    if finding.code == "repeats" and "length" in numbers:  # this length is in events
        after = ceil(numbers["length"]) - column.first_event
        return int(column.event_iterations[after]) if 0 <= after < len(column.event_iterations) else None
    return None
