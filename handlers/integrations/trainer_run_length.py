"""The length of a run of Lightning or Hugging Face, as arguments of ``dry_run`` and ``check_plan``."""

import math
from typing import TypedDict


class RunArguments(TypedDict):
    """The length of a run in steps of the optimizer: arguments of ``dry_run`` and ``check_plan``.

    Args:
        max_epochs: the number of epochs in the run; None if the last epoch ends early.
        epoch_length: the number of steps in an epoch.
        max_iters: the number of steps in the run if its last epoch ends early; otherwise None.
    """

    max_epochs: int | None
    epoch_length: int
    max_iters: int | None


def run_arguments(
    num_batches: int | None, accumulation: int, max_epochs: float | None, max_steps: int | None
) -> RunArguments:
    """Return the length of a run that takes a step after every ``accumulation`` batches and at the end of each epoch.

    Args:
        num_batches: the number of batches in an epoch, or None if it is unknown.
        accumulation: the number of batches in a step.
        max_epochs: the number of epochs in the run, which may have a fraction. If None, only ``max_steps`` ends the
            run.
        max_steps: the number of steps in the run. If None, only ``max_epochs`` ends the run.

    Raises:
        ValueError: the run has no end, or no step.

    Example:
        >>> run_arguments(num_batches=10, accumulation=4, max_epochs=2, max_steps=None)
        {'max_epochs': 2, 'epoch_length': 3, 'max_iters': None}
        >>> run_arguments(num_batches=10, accumulation=4, max_epochs=2, max_steps=5)
        {'max_epochs': None, 'epoch_length': 3, 'max_iters': 5}
    """
    epoch_length = None if num_batches is None else math.ceil(num_batches / accumulation)
    limits = [] if max_steps is None else [max_steps]
    if max_epochs is not None and epoch_length is not None:
        limits.append(math.ceil(max_epochs * epoch_length))
    if not limits or min(limits) < 1 or epoch_length == 0:
        raise ValueError(
            "the run must have an end and at least one step, given "
            f"{num_batches} batches an epoch, max_epochs={max_epochs} and max_steps={max_steps}"
        )
    steps = min(limits)
    epoch_length = steps if epoch_length is None else epoch_length
    if steps % epoch_length:
        return {"max_epochs": None, "epoch_length": epoch_length, "max_iters": steps}
    return {"max_epochs": steps // epoch_length, "epoch_length": epoch_length, "max_iters": None}
