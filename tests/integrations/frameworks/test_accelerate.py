"""accelerate trains with the values of ``simulate``, in one process and in two: as_torch_scheduler in ``prepare``."""

import json

import pytest
from frameworks import STEPS, simulated
from ranks import run_on_two_ranks

pytest.importorskip("accelerate")

import accelerated_run

pytestmark = pytest.mark.integrations


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Return the values with which one process trains."""
    return accelerated_run.run_all(1, tmp_path_factory.mktemp("one") / "state")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Return the values with which each of two processes trains."""
    folder = tmp_path_factory.mktemp("two")
    run_on_two_ranks("accelerated_run", folder)
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("way", ["unknown", "given", "accumulated", "split", "resumed"])
def test_each_step_trains_with_the_simulated_values(one, way):
    assert one[way] == simulated()
    assert not one["warnings"]


@pytest.mark.parametrize("way", ["given", "accumulated", "split", "resumed"])
def test_each_step_trains_with_the_simulated_values_in_two_processes(two, way):
    for results in two:
        assert [tuple(pair) for pair in results[way]] == simulated()


def test_without_num_processes_two_processes_run_twice_as_fast_with_a_warning(two):
    for results in two:
        assert [tuple(pair) for pair in results["unknown"]] == simulated(steps=2 * STEPS)[::2]
        assert len(results["warnings"]) == 1
        assert "pass num_processes=2 to as_torch_scheduler, or split_batches=True" in results["warnings"][0]
