"""One of several processes that hand the states of all schedulers on to each other.

Run as ``python -m relay FOLDER FIRST END``: it makes every scheduler anew, loads what the process before has left in
the folder (where FIRST is not 0), goes on from event FIRST to event END, and leaves its own states and values there.
"""

import json
import os
import sys
import traceback
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torch
from optimizers import make_optimizer, values_of
from registry import CASE_IDS, CASES
from rigs import RIGS, Rig

from lehr.engine import ParamHistory


def _rig_of(example: Any, groups: int) -> Rig:
    optimizer = make_optimizer(groups)
    return Rig(example(optimizer, save_history=True), lambda: values_of(optimizer))


ALL = {**RIGS, **{name: partial(_rig_of, *case) for name, case in zip(CASE_IDS, CASES, strict=True)}}
WAYS = ("torch", "json")


def run(rig: Rig, events: int) -> list[list[str]]:
    """What stands, bit by bit, where the scheduler writes, and in all of the optimizer's groups, after each event."""
    rows = []
    for _ in range(events):
        (read,) = rig.fire()
        rows.append([value.hex() for value in map(float, read + _groups_of(rig.scheduler))])
    return rows


def _groups_of(scheduler: Any) -> list[float]:
    optimizer = getattr(scheduler, "optimizer", None)
    groups = getattr(optimizer[0] if isinstance(optimizer, list) else optimizer, "param_groups", [])
    items = [group[key] for group in groups for key in sorted(group) if key != "params"]
    return [float(item) for item in items if isinstance(item, float | torch.Tensor)]


def history_of(rig: Rig) -> dict[str, Any]:
    """What was recorded so far, as plain data."""
    history = getattr(rig.engine.state, "param_history", None)
    return history.state_dict() if history is not None else {}


def leg(name: str, events: int, handed: list[Any] | None, again: bool) -> dict[str, Any]:
    """Make a scheduler, load what was saved, and go on; if ``again``, save and load once more before any event."""
    rig = ALL[name]()
    if handed is not None:
        state, history = handed
        if again:
            rig.scheduler.load_state_dict(state)
            state, rig = rig.scheduler.state_dict(), ALL[name]()
        rig.scheduler.load_state_dict(state)
        rig.engine.state.param_history = ParamHistory()
        rig.engine.state.param_history.load_state_dict(history)
    at = rig.scheduler.event_index
    values = run(rig, events)
    return {"at": at, "values": values, "state": rig.scheduler.state_dict(), "history": history_of(rig)}


def _load(folder: Path, way: str) -> dict[str, Any]:
    if way == "json":
        return json.loads((folder / "states.json").read_text())
    return torch.load(folder / "states.pt", weights_only=True)


def _save(states: dict[str, Any], folder: Path, way: str) -> None:
    if way == "json":
        (folder / "states.json").write_text(json.dumps(states))
    else:
        torch.save(states, folder / "states.pt")


def main(folder: Path, first: int, end: int) -> None:
    """Run one leg of every scheduler, once on what torch has saved and once on what JSON has."""
    report: dict[str, Any] = {"pid": os.getpid(), "hash": hash("lehr")}
    for way in WAYS:
        before = _load(folder, way) if first else {}
        states, report[way] = {}, {}
        for name in ALL:
            if first and name not in before:
                continue  # it has failed in a leg before, which says so
            try:
                done = leg(name, end - first, before.get(name), again=way == "json")
                json.dumps(done)
                states[name] = [done["state"], done["history"]]
            except Exception:
                done = {"error": traceback.format_exc()}
            report[way][name] = done
        _save(states, folder, way)
    (folder / f"report-{first}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    warnings.simplefilter("error")
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
