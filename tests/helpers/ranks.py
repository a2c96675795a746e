"""Two processes that meet by gloo, on a port that torchrun finds free."""

import os
import subprocess
import sys
from pathlib import Path

HELPERS = Path(__file__).resolve().parent


def run_on_two_ranks(module: str, folder: Path) -> None:
    """Run a module of this folder as two ranks on the CPU; its argument is the folder to write to."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc_per_node=2",
            "-m",
            module,
            str(folder),
        ],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HELPERS), *filter(None, sys.path)]),
            "ACCELERATE_USE_CPU": "true",
            "CUDA_VISIBLE_DEVICES": "",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
