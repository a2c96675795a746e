"""Lightning and Hugging Face train with the values of ``simulate`` on two ranks, and count their steps once."""

import json

import pytest
from frameworks import STEPS, simulated
from ranks import run_on_two_ranks

pytest.importorskip("lightning")
pytest.importorskip("transformers")

pytestmark = pytest.mark.integrations


def ranks_of(program, folder):
    """Return the values with which each of two ranks trains."""
    run_on_two_ranks(program, folder)
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.fixture(scope="module")
def lightning(tmp_path_factory):
    return ranks_of("lightning_run", tmp_path_factory.mktemp("lightning"))


@pytest.fixture(scope="module")
def transformers(tmp_path_factory):
    return ranks_of("transformers_run", tmp_path_factory.mktemp("transformers"))


def pairs(rows):
    return [tuple(pair) for pair in rows]


@pytest.mark.parametrize("way", ["adapter", "callback"])
@pytest.mark.parametrize("kind", ["unbroken", "accumulated", "resumed"])
def test_lightning(lightning, way, kind):
    for results in lightning:
        assert pairs(results[way][kind]) == simulated()
        assert results[way]["steps"] == STEPS
        assert results[way]["run"]["max_epochs"] * results[way]["run"]["epoch_length"] == STEPS


@pytest.mark.parametrize("way", ["adapter", "callback"])
def test_lightning_reduces_the_metrics_of_all_ranks(lightning, way):
    expected = [rate for rate in (0.1, 0.1, 0.1, 0.05) for _ in range(STEPS // 2)]
    assert [results["driven"][way] for results in lightning] == [expected] * 2


@pytest.mark.parametrize("way", ["adapter", "callback"])
@pytest.mark.parametrize("kind", ["unbroken", "accumulated", "split", "dropped"])
def test_transformers(transformers, way, kind):
    for results in transformers:
        result = results[way][kind]
        assert pairs(result["seen"]) == simulated(steps=len(result["seen"]))
        run = result["run"]
        assert len(result["seen"]) == result["steps"] == (run["max_iters"] or run["max_epochs"] * run["epoch_length"])


@pytest.mark.parametrize("way", ["adapter", "callback"])
def test_transformers_resumes_from_a_checkpoint(transformers, way):
    for results in transformers:
        assert pairs(results[way]["resumed"]["seen"]) == simulated()[5:]


def test_transformers_drives_a_plateau_on_all_ranks(transformers):
    expected = [rate for rate in (0.1, 0.1, 0.1, 0.05) for _ in range(3)]
    assert [results["driven"] for results in transformers] == [expected] * 2


def test_there_is_no_warning_about_processes_if_the_trainer_steps_once(transformers):
    assert [results["warnings"] for results in transformers] == [[], []]
