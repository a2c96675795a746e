"""A check that warns if accelerate calls a scheduler's ``step()`` several times after one optimizer step."""

import sys
import warnings
from typing import Any

import torch


class AccelerateCheck:
    """Counts the calls of ``step()``, and warns if accelerate calls it once for each process.

    Args:
        num_processes: the argument ``num_processes`` of :func:`as_torch_scheduler`. If it is not None, there is no
            check.
    """

    def __init__(self, num_processes: int | None) -> None:
        self._is_on = num_processes is None
        # The number of calls of step() since the optimizer's last step. It is None before the first call.
        self._steps_since: int | None = None

    def count_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Count a call of ``step()``, and warn if it is the second call after one step of the optimizer."""
        if not self._is_on or (processes := _accelerate_processes()) == 1:
            return
        if self._steps_since is None:
            self._steps_since = 0
            optimizer.register_step_post_hook(self._start_again)
        self._steps_since += 1
        if self._steps_since > 1:
            self._is_on = False
            warnings.warn(
                f"accelerate calls step() once for each of {processes} processes, so the schedule runs {processes} "
                f"times too fast: pass num_processes={processes} to as_torch_scheduler, or split_batches=True to "
                "accelerate",
                stacklevel=4,
            )

    def _start_again(self, *_: Any) -> None:
        self._steps_since = 0


def _accelerate_processes() -> int:
    """Return the number of accelerate's processes, or 1 if accelerate is not in use."""
    state = sys.modules.get("accelerate.state")
    if state is None or not state.is_initialized():
        return 1
    return int(state.PartialState().num_processes)
