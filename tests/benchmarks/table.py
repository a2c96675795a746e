"""Writes the results as a table in Markdown."""

import os
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from interleaving import Measured

SECTIONS = {
    "test_one_event": "One event",
    "test_simulation": "Simulation, for each event",
    "test_noise": "Seeded noise",
    "test_going_back": "Seeking far or back, and simulating a few events",
    "test_concatenation": "One event of a concatenation",
    "test_resume": "Going to an event, and resuming",
    "test_whole_run": "One iteration of a run that does nothing else",
    "test_history": "History, for each value beyond the first 1,000",
    "test_construction": "Construction",
    "test_import": "Import",
    "test_event_path": "Each kind of event beside its nearest peer, and what is done once",
    "test_plans": "A plan of 100,000 iterations, for each of them",
    "test_forecasts": "A forecast of the loss",
    "growth": "Growth: how many times the cost becomes; 1 is constant",
}
LIBRARIES = ("lehr", "ignite", "torch", "mmengine")  # each has a column; all other contenders share one
UNITS = {"s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")), "B": ((1, "B"),), "times": ((1, ""),)}


@dataclass
class Row:
    """A row of the table.

    Args:
        section: the module of the benchmark, or "growth".
        what: the name of the row.
        measured: a number for each round, by contender, lehr first.
        targets: the highest ratio to reach, by contender; for lehr, the highest number to reach.
        unit: the unit of the numbers: "s", "B" (bytes), or "times" for numbers that are ratios themselves.
    """

    section: str
    what: str
    measured: Measured
    targets: dict[str, float] = field(default_factory=dict)
    unit: str = "s"

    def __post_init__(self) -> None:
        """Compute the medians, and the quartiles of the ratios over the rounds."""
        self.medians = {name: float(np.median(taken)) for name, taken in self.measured.items()}
        own, *others = self.measured
        self.ratios = {
            name: [
                float(part)
                for part in np.quantile(np.divide(self.measured[own], self.measured[name]), (0.25, 0.5, 0.75))
            ]
            for name in others
            if self.unit != "times"
        }

    def as_dict(self) -> dict[str, object]:
        """The row for the JSON of pytest-benchmark."""
        return {"what": self.what, "unit": self.unit, "medians": self.medians, "ratio_quartiles": self.ratios}

    def cells(self) -> list[str]:
        """The text of each column."""
        own, *others = self.measured
        beside = [f"{name} {self._cell(name)}" for name in others if name not in LIBRARIES]
        libraries = [self._cell(name) if name in others else "" for name in LIBRARIES[1:]]
        return [self.what, self._cell(own), "; ".join(beside), *libraries, *self._verdicts()]

    def _cell(self, name: str) -> str:
        ratio = f" ({number(self.ratios[name][1])})" if name in self.ratios else ""
        return quantity(self.medians[name], self.unit) + ratio

    def _verdicts(self) -> tuple[str, str]:
        aims, verdicts = [], []
        for name, highest in self.targets.items():
            low, reached, high = self.ratios.get(name) or [self.medians[name]] * 3
            aims.append(f"≤ {highest:g} x {name}" if name in self.ratios else f"≤ {quantity(highest, self.unit)}")
            spread = f" ({number(low)} to {number(high)})" if name in self.ratios else ""
            told = number(reached) if name in self.ratios else quantity(reached, self.unit)
            verdicts.append(f"yes: {told}" if reached <= highest else f"**no: {told}{spread}**")
        return "; ".join(aims), "; ".join(verdicts)


def number(value: float) -> str:
    """A number with two decimals, or two digits if it is small."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value >= 0.1 else f"{value:#.2g}"


def quantity(value: float, unit: str) -> str:
    """A number with three digits and a unit."""
    scale, name = next((one for one in UNITS[unit] if value >= one[0]), UNITS[unit][-1])
    decimals = max(0, 2 - int(np.floor(np.log10(max(value / scale, 0.1)))))
    return f"{value / scale:.{decimals}f} {name}".strip()


def lines(rows: Iterable[Row]) -> list[str]:
    """The table, after a line with the machine and the versions."""
    rows = list(rows)
    spread = [high / low - 1 for row in rows for low, _, high in row.ratios.values() if high > low]
    noise = f" Half of the rounds give ratios within {np.median(spread):.0%} of one another." if spread else ""
    text = [f"{measured_on()}{noise}", ""]
    heading = ["what", "lehr", "beside it", *LIBRARIES[1:], "target", "reached"]
    text += [line(heading), line(["---", *["---:"] * 5, "---", "---"])]
    places = {name: at for at, name in enumerate(SECTIONS)}
    section = None
    for row in sorted(rows, key=lambda row: places.get(row.section, len(places))):
        if row.section != section:
            section = row.section
            text.append(line([f"**{SECTIONS.get(section, section)}**", *[""] * (len(heading) - 1)]))
        text.append(line(row.cells()))
    return text


def line(cells: Iterable[str]) -> str:
    """One line of the table."""
    return re.sub(r" +\|", " |", f"| {' | '.join(cells)} |")


def measured_on() -> str:
    """The machine and the versions."""
    cpuinfo = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else []
    versions = [f"Python {platform.python_version()}"]
    for package in ("torch", "pytorch-ignite", "numpy", "mmengine"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"no {package}")
    machine = f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores"
    return f"Measured on a shared machine, {machine}; {', '.join(versions)}."
