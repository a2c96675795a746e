"""Processes that hand the state of every scheduler on to each other, in the middle of its schedule.

What they write, put together, is what one process writes that is never stopped. Each process is a new one, with hashes
of its own, and makes the schedulers from the same code; ``relay.py`` is what it runs.
"""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import relay
from cases import for_each
from registry import CASES
from rigs import ALL, RIGS

pytestmark = pytest.mark.proof
STOPS = [0, 6, 17, 40]  # A runs events 0 to 5, B goes on to event 16, and A again, a new process, to the end
HELPERS = Path(__file__).resolve().parent.parent / "helpers"
# Their first values are all the same; other examples of the same schedules move.
STILL = ("constant", "ConstantScheduler", "MultiStepScheduler", "PiecewiseConstantScheduler")
each_scheduler = for_each("name", ALL)
each_way = pytest.mark.parametrize("way", relay.WAYS)


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """What each process of the relay tells of its leg."""
    folder = tmp_path_factory.mktemp("relay")
    told = []
    for seed, (first, end) in enumerate(itertools.pairwise(STOPS)):
        paths = [str(HELPERS), *sys.path]
        done = subprocess.run(
            [sys.executable, "-m", "relay", str(folder), str(first), str(end)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        told.append(json.loads((folder / f"report-{first}.json").read_text()))
    return told


def legs_of(reports, way, name):
    """What each process did with one scheduler."""
    legs = [report[way][name] for report in reports if name in report[way]]
    for leg in legs:
        assert "error" not in leg, leg["error"]
    assert len(legs) == len(STOPS) - 1
    return legs


def plain(thing):
    return json.loads(json.dumps(thing))


def test_every_leg_is_run_by_a_process_of_its_own(reports):
    assert os.getpid() not in {report["pid"] for report in reports}
    assert len({report["hash"] for report in reports}) == len(STOPS) - 1
    assert len(ALL) == len(RIGS) + len(CASES) > 120
    assert all(set(report[way]) == set(ALL) for report in reports for way in relay.WAYS)


@each_way
@each_scheduler
def test_what_the_processes_write_is_what_one_process_writes(reports, way, name):
    legs = legs_of(reports, way, name)
    unbroken = ALL[name]()
    expected = relay.run(unbroken, STOPS[-1])
    for leg, (first, end) in zip(legs, itertools.pairwise(STOPS), strict=True):
        assert leg["at"] == first
        assert leg["values"] == expected[first:end]
    assert any(row != expected[0] for row in expected) or name.startswith(STILL)
    assert legs[-1]["state"] == plain(unbroken.scheduler.state_dict())
    assert legs[-1]["history"] == plain(relay.history_of(unbroken))


@each_scheduler
def test_every_process_describes_the_schedule_in_the_same_words(reports, name):
    here = ALL[name]().scheduler.state_dict()["schedule"]
    described = [leg["state"]["schedule"] for way in relay.WAYS for leg in legs_of(reports, way, name)]
    assert here
    assert all(one == here for one in described)
    assert " at 0x" not in json.dumps(here)
