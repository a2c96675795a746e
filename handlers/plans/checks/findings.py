"""What a check of a plan finds: what is wrong, where, by how much, and what to do."""

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lehr.handlers.schedules import arguments

SEVERITIES = ("error", "warning", "info")
CODES = {
    "write-conflict": "two schedulers write one parameter",
    "attached-twice": "a scheduler has two events where one is meant",
    "never-attached": "a scheduler that nothing calls",
    "history-name-clash": "two schedulers would record under one name",
    "missing-metric": "a metric that is not produced",
    "not-restored": "a scheduler that a resumed run has left behind",
    "illegal-value": "a value that the optimizer does not allow",
    "end-not-reached": "the run ends before the schedule",
    "repeats": "the schedule ends, or begins anew, before the run ends",
    "unit-mismatch": "durations in iterations on an epoch's event, or the reverse",
    "jump": "a jump from one phase to the next",
    "zero-start": "steps with a learning rate of 0",
    "unforeseen": "what a dry run cannot foresee, and so does not check",
}


@dataclass(frozen=True)
class Finding:
    """Something in a plan that somebody should look at.

    Args:
        code: what kind it is of, one of those of :func:`check_plan`.
        severity: ``"error"``, the run is not what its code says; ``"warning"``, it is probably not what was meant;
            ``"info"``, it may well be meant.
        where: the name in the plan and the group, or the scheduler and its event.
        message: what it is, with the numbers.
        suggestion: what to do about it.
        numbers: the numbers, by name, as plain data.

    Raises:
        ValueError: ``code`` or ``severity`` is none of these.
    """

    code: str
    severity: str
    where: str
    message: str
    suggestion: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the code and the severity."""
        arguments.one_of("code", self.code, CODES)
        arguments.one_of("severity", self.severity, SEVERITIES)

    def __str__(self) -> str:
        wrapped = [
            textwrap.fill(words, 104, initial_indent="    ", subsequent_indent=indent, break_on_hyphens=False)
            for words, indent in ((self.message, "    "), (f"-> {self.suggestion}", "       "))
        ]
        return "\n".join([f"{self.severity}: {self.code}: {self.where}", *wrapped])


class Findings(list[Finding]):
    """A list of findings, the worst first, that prints well.

    Example:
        >>> print(Findings([Finding("zero-start", "info", "'lr'", "it begins with 0", "begin with more")]))
        1 info
        info: zero-start: 'lr'
            it begins with 0
            -> begin with more
        >>> print(Findings())
        nothing found
    """

    def __init__(self, findings: Iterable[Finding] = ()) -> None:
        super().__init__(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))

    def of(self, severity: str) -> list[Finding]:
        """Those of one severity."""
        return [finding for finding in self if finding.severity == severity]

    def __str__(self) -> str:
        if not self:
            return "nothing found"
        counts = [(severity, len(self.of(severity))) for severity in SEVERITIES]
        counted = [f"{count} {one if one == 'info' or count == 1 else one + 's'}" for one, count in counts if count]
        return "\n".join([", ".join(counted), *map(str, self)])
