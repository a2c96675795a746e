"""The notebook is run from top to bottom, in a kernel of its own, and its cells show what the text says."""

import json

import pytest
from scripts import run_python

RUN = """
import os, sys
import nbclient, nbformat

os.environ.pop("MPLBACKEND")  # the kernel draws into its cells
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


@pytest.fixture
def tour(repository):
    return repository / "examples" / "tour.ipynb"


def test_it_is_committed_without_outputs(tour):
    cells = json.loads(tour.read_text())["cells"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells if "outputs" in cell)


@pytest.mark.proof
def test_it_shows_what_it_says(tour, tmp_path):
    run_python("-c", RUN, str(tour), str(tmp_path / "executed.ipynb"), folder=tmp_path)
    cells = json.loads((tmp_path / "executed.ipynb").read_text())["cells"]
    shown = [output for cell in cells for output in cell.get("outputs", ())]
    printed = "".join("".join(output["text"]) for output in shown if output.get("name") == "stdout")
    results = ["".join(output["data"]["text/plain"]) for output in shown if output["output_type"] == "execute_result"]

    assert not [output for output in shown if output.get("name") == "stderr"]
    assert printed.startswith("1 warning\nwarning: end-not-reached: 'lr': OneCycleScheduler")
    assert "\nnothing found\na plan of 100 iterations: 4 epochs of 25\n" in printed
    assert printed.endswith("\ngoes on with event 50\n")
    assert results[1:] == ["{'lr': True, 'momentum': True}", "50", "True"]
    assert sum("image/png" in output.get("data", {}) for output in shown) == 2
