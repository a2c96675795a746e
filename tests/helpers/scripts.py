"""Scripts that are run as a newcomer runs them, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path


def run_python(*arguments: str, folder: Path, timeout: int = 300) -> "subprocess.CompletedProcess[str]":
    """Run Python in a folder; a UserWarning is an error, and so is a failure, or more than ``timeout`` seconds."""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", *arguments],
        cwd=folder,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return done
