"""The findings of ``check_plan``: their codes and severities, and a list of them that prints as text."""

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lehr.engine.notebook import as_html
from lehr.handlers.schedules import arguments

SEVERITIES = ("error", "warning", "info")
CODES = {
    "write-conflict": "two schedulers write one parameter",
    "attached-twice": "one event calls a scheduler twice",
    "never-attached": "no event calls a scheduler",
    "history-name-clash": "two schedulers record under one name",
    "missing-metric": "the engine does not produce a metric",
    "never-observed": "nothing passes metrics to a part of a schedule that depends on them",
    "early-metrics": "a part of a schedule counts metrics before its first event",
    "late-event": "the run trains before the first event of a scheduler",
    "early-log": "a logger logs a parameter before the scheduler writes it",
    "not-reset": "the run begins at iteration 0, but a scheduler begins at a later event",
    "past-end": "the schedule has ended before the run begins",
    "inexact-resume": "a resumed run would differ from the unbroken one",
    "not-restored": "the event index of a scheduler does not fit the resumed run",
    "illegal-value": "the optimizer does not allow a value",
    "groups-flattened": "param groups with different values get one value",
    "end-not-reached": "the run ends before the schedule ends",
    "repeats": "the schedule ends or repeats before the run ends",
    "unit-mismatch": "durations are in iterations on an epoch event, or the reverse",
    "jump": "the value jumps from one phase to the next, or within one event",
    "zero-start": "the learning rate is 0 at first",
    "reads-gpu": "a clock waits for a GPU or for other ranks at each iteration",
    "faster-scheduler": "a faster scheduler of lehr has the values of a wrapped scheduler of torch",
    "unforeseen": "dry_run cannot predict a scheduler, and leaves it out",
}


@dataclass(frozen=True)
class Finding:
    """A possible mistake in a plan.

    Args:
        code: the type of mistake. :func:`check_plan` lists all codes.
        severity: ``"error"`` if the run does not do what your code says, ``"warning"`` if the run probably does not do
            what you mean, and ``"info"`` if you may have meant it.
        where: the name in the plan and the group, or the scheduler and its event.
        message: the mistake, with numbers.
        suggestion: what you can do about it.
        numbers: the numbers of the message, by name, as plain data.

    If ``where``, ``message`` or ``suggestion`` has more than 500 characters, its middle is left out.

    Raises:
        ValueError: ``code`` or ``severity`` is unknown.

    Example:
        >>> print(Finding("zero-start", "info", "'lr'", "the lr starts at 0", "start above 0"))
        info: zero-start: 'lr'
            the lr starts at 0
            -> start above 0
    """

    code: str
    severity: str
    where: str
    message: str
    suggestion: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the code and the severity, and shorten the texts."""
        arguments.one_of("code", self.code, CODES)
        arguments.one_of("severity", self.severity, SEVERITIES)
        for name in ("where", "message", "suggestion"):
            object.__setattr__(self, name, arguments.shortened(getattr(self, name)))

    def __str__(self) -> str:
        wrapped = [
            textwrap.fill(words, 104, initial_indent="    ", subsequent_indent=indent, break_on_hyphens=False)
            for words, indent in ((self.message, "    "), (f"-> {self.suggestion}", "       "))
        ]
        return "\n".join([f"{self.severity}: {self.code}: {self.where}", *wrapped])


class Findings(list[Finding]):
    """A list of findings, sorted by severity, errors first. ``print`` shows all of them.

    Args:
        findings: the findings, in any order.

    Example:
        >>> print(Findings([Finding("zero-start", "info", "'lr'", "the lr starts at 0", "start above 0")]))
        1 info
        info: zero-start: 'lr'
            the lr starts at 0
            -> start above 0
        >>> print(Findings())
        nothing found
    """

    def __init__(self, findings: Iterable[Finding] = ()) -> None:
        super().__init__(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))

    def __repr__(self) -> str:
        return str(self)  # a cell of a notebook that ends with the findings shows this text

    def _repr_html_(self) -> str:
        return as_html(str(self))

    def of(self, severity: str) -> list[Finding]:
        """Return the findings of one severity.

        Args:
            severity: ``"error"``, ``"warning"`` or ``"info"``.
        """
        return [finding for finding in self if finding.severity == severity]

    def __str__(self) -> str:
        if not self:
            return "nothing found"
        counts = [(severity, len(self.of(severity))) for severity in SEVERITIES]
        counted = [f"{count} {one if one == 'info' or count == 1 else one + 's'}" for one, count in counts if count]
        return "\n".join([", ".join(counted), *map(str, self)])
