"""Trainings that are killed at any moment, by ``kill -9``, and go on in new processes from their newest checkpoint.

What comes of them is bit for bit what comes of one that is never stopped: the history, the states of the schedulers,
the weights and all else that a checkpoint holds. ``kill_training.py`` is what each process runs.
"""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import kill_training
import pytest

from lehr.engine import ParamHistory

HELPERS = Path(__file__).resolve().parent.parent / "helpers"
KILLS = int(os.environ.get("LEHR_KILLS", "200"))  # of the proof, over all scenarios
AT_MOST = 120.0  # seconds for one process, which takes less than one, and a few more to import all
each_scenario = pytest.mark.parametrize("scenario", kill_training.SCENARIOS)

# A fork server has imported torch, ignite and the data once. Each leg is forked from it, so that it begins within
# milliseconds, and is still a process of its own, with nothing of the legs before. An optimizer imports torch._dynamo.
FORK_SERVER = multiprocessing.get_context("forkserver")
FORK_SERVER.set_forkserver_preload(["kill_training", "torch._dynamo"])


@pytest.fixture(scope="module", autouse=True)
def paths_for_the_processes():
    """Where they find what they import; the fork server is started with the first of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(HELPERS), *sys.path])))
        yield


class Interpreter(subprocess.Popen):
    """A process with an interpreter of its own, which is asked what one of multiprocessing is asked."""

    exitcode = property(lambda self: self.returncode)
    join = subprocess.Popen.wait

    def is_alive(self):
        return self.poll() is None


def forked(scenario, folder):
    process = FORK_SERVER.Process(target=kill_training.leg, args=(scenario, folder), daemon=True)
    process.start()
    return process


def fresh(scenario, folder):
    return Interpreter([sys.executable, "-m", "kill_training", scenario, str(folder)], cwd=folder)


@dataclass
class Tally:
    """Processes that died of signal 9 while they trained, and what became of their trainings."""

    kills: int = 0
    while_saving: int = 0  # those that left a checkpoint behind that was not yet complete
    resumes: int = 0
    within_an_epoch: int = 0  # of the resumes
    trainings: int = 0

    def __str__(self):
        return (
            f"{self.kills} kills survived ({self.while_saving} while a checkpoint was written) by {self.trainings} "
            f"trainings with {self.resumes} resumes ({self.within_an_epoch} within an epoch)"
        )


def waited(process, condition):
    """Wait until something is so, or the process is over."""
    begun = time.monotonic()
    while process.is_alive() and not condition():
        assert time.monotonic() - begun < AT_MOST, "the process hangs"
        time.sleep(0.0005)


def ended(process):
    process.join(AT_MOST)
    assert not process.is_alive(), "the process hangs"


def incomplete(folder):
    """Checkpoints that are being written, or were when their process died."""
    return set((folder / "checkpoints").glob("tmp*"))


def iterations_of(folder):
    """How many iterations the process has begun."""
    path = folder / "progress"
    return path.stat().st_size if path.exists() else 0


def result_of(folder, process, seed=None):
    error = folder / "error.txt"
    told = error.read_text() if error.exists() else ""
    assert process.exitcode == 0, f"exit code {process.exitcode} with the kills drawn by seed {seed!r}: {told}"
    return json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """What comes of the training of each scenario that is not stopped, made when it is asked for."""
    made = {}

    def of(scenario):
        if scenario not in made:
            folder = tmp_path_factory.mktemp("unbroken")
            process = forked(scenario, folder)
            try:
                ended(process)
            finally:
                process.kill()
            made[scenario] = result_of(folder, process)
        return made[scenario]

    return of


def kill_while_it_trains(process, folder, draw, most, at_a_checkpoint):
    """Kill a process anywhere in its first so many iterations, or while it writes the next checkpoint after that."""
    before, iteration = incomplete(folder), draw.randint(1, most)
    waited(process, lambda: iterations_of(folder) >= iteration)
    if at_a_checkpoint:
        waited(process, lambda: kill_training.newest(folder) and incomplete(folder) > before)
    time.sleep(draw.uniform(0.0, 0.001 if at_a_checkpoint else 0.005))  # about as long as either takes
    if process.is_alive():
        process.kill()


def train_and_kill(start, scenario, unbroken, kills, folder, tally, seed):
    """One training that is killed at most until there were so many kills, and then let go on to its end."""
    folder.mkdir()
    tally.trainings += 1
    draw = random.Random(seed)
    total, epoch_length = unbroken["trainer"]["iteration"], unbroken["trainer"]["epoch_length"]
    while True:
        path, left = kill_training.newest(folder), incomplete(folder)
        (folder / "progress").unlink(missing_ok=True)
        process = start(scenario, folder)
        try:
            if tally.kills < kills:
                # No leg is longer than half of the training, so that there are several in most of them.
                kill_while_it_trains(process, folder, draw, total // 2, at_a_checkpoint=tally.kills % 2 == 0)
            ended(process)
        finally:
            process.kill()
        if path is not None:
            tally.resumes += 1
            tally.within_an_epoch += kill_training.iteration_of(path) % epoch_length > 0
        if process.exitcode != -signal.SIGKILL:
            return result_of(folder, process, seed)
        assert iterations_of(folder) > 0
        tally.kills += 1
        tally.while_saving += incomplete(folder) > left


def survived(start, scenario, unbroken, kills, folder):
    """Kill trainings until there were so many kills, and compare what comes of each."""
    tally = Tally()
    while tally.kills < kills:
        seed = f"{scenario} {tally.trainings}"
        result = train_and_kill(start, scenario, unbroken, kills, folder / str(tally.trainings), tally, seed)
        assert result.keys() == unbroken.keys()
        assert tally.trainings <= 3 * kills + 10, "most trainings end before they are killed"
        differ = [name for name, state in unbroken.items() if result[name] != state]
        assert not differ, f"{differ} differ with the kills drawn by seed {seed!r}"
    assert tally.kills == kills
    assert tally.resumes >= kills / 2  # every second kill, from the first one on, waits until there is a checkpoint
    return tally


def told(scenario, tally, capsys):
    """Tell the figures of a proof, whatever pytest captures."""
    with capsys.disabled():
        print(f"\n{scenario}: {tally}", file=sys.stderr)


@pytest.mark.proof
@each_scenario
def test_every_scenario_trains_with_values_that_change(scenario, unbroken):
    result, history = unbroken(scenario), ParamHistory()
    history.load_state_dict(result["history"])
    assert len(history) >= 2
    for column in history.values():
        assert len(set(column.to_numpy().flat)) > 2
    if scenario == "real_steps":
        assert result["trainer"]["optimizer_steps"] == [112 // 3 - 4]
    if scenario == "groups":
        assert result["beta"]["progress"][0]["starts"] == [37, 84]
    if scenario == "tokens":
        assert result["lr"]["event_index"] > result["momentum"]["event_index"] > 100_000
        assert len(result["lr"]["readings"]) == 112 % 3
    if scenario == "samples":
        assert 4 * 28 * 24 < result["lr"]["event_index"] == result["decay"]["event_index"] < 4 * 28 * 64
    if scenario == "landing":
        assert result["lr"]["landing"]["progress"] == (1.0).hex()
        assert 100 < result["trainer"]["iteration"] == result["lr"]["event_index"] < 112
    if scenario == "seconds":
        assert result["lr"]["event_index"] == sum(50 + iteration * 7 % 61 for iteration in range(112))


@pytest.mark.parametrize(
    "scenario",
    [
        "one_cycle",
        *(pytest.param(name, marks=pytest.mark.proof) for name in kill_training.SCENARIOS if name != "one_cycle"),
    ],
)
def test_a_training_that_is_killed_twice_ends_as_if_it_had_not_been(scenario, unbroken, tmp_path):
    print(survived(forked, scenario, unbroken(scenario), 2, tmp_path))


@pytest.mark.proof
def test_a_training_that_is_killed_in_an_interpreter_of_its_own_goes_on_elsewhere(unbroken, tmp_path):
    def start(scenario, folder):
        return fresh(scenario, folder) if kill_training.newest(folder) is None else forked(scenario, folder)

    print(survived(start, "one_cycle", unbroken("one_cycle"), 1, tmp_path))


@pytest.mark.proof
@each_scenario
def test_a_training_that_is_killed_again_and_again_ends_as_if_it_had_not_been(scenario, unbroken, tmp_path, capsys):
    kills = -(-KILLS // len(kill_training.SCENARIOS))
    told(scenario, survived(forked, scenario, unbroken(scenario), kills, tmp_path), capsys)


@pytest.mark.proof
@pytest.mark.parametrize("scenario", ["plateau", "real_steps"])
def test_interpreters_that_share_nothing_are_killed_too(scenario, unbroken, tmp_path, capsys):
    kills = max(KILLS // 100, 1)
    told(f"{scenario}, fresh interpreters", survived(fresh, scenario, unbroken(scenario), kills, tmp_path), capsys)
