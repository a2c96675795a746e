"""A warning where accelerate calls ``step()`` more often than a scheduler knows."""

import sys
import warnings
from typing import Any

import torch


class AccelerateCheck:
    """Warns where accelerate calls ``step()`` once for each process, and the scheduler does not know it.

    Args:
        num_processes: what the user has given; None to check.
    """

    def __init__(self, num_processes: int | None) -> None:
        self._is_on = num_processes is None
        self._steps_since: int | None = None  # calls of step() since the optimizer's last step, once they are counted

    def count_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Count a call of ``step()``; warn at the second one after the same step of the optimizer."""
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
    """The number of accelerate's processes; 1 where it is not in use."""
    state = sys.modules.get("accelerate.state")
    if state is None or not state.is_initialized():
        return 1
    return int(state.PartialState().num_processes)
