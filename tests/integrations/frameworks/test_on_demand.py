"""Only the modules of the callbacks import the trainers."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.integrations
TRAINERS = ("accelerate", "lightning", "skorch", "transformers")


def test_the_package_imports_no_trainer():
    for name in TRAINERS:
        pytest.importorskip(name)
    code = "import sys, lehr.handlers, lehr.engine; lehr.handlers.as_torch_scheduler, lehr.handlers.dry_run\n"
    code += f"print([name for name in {TRAINERS} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "[]\n"
