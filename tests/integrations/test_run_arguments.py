"""``run_arguments`` computes the length of a run from the arguments of its trainer."""

import pytest
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import CosineDecayScheduler, dry_run
from lehr.handlers.integrations.trainer_run_length import run_arguments


@for_each(
    ("batches", "accumulation", "max_epochs", "max_steps", "expected"),
    [
        (10, 1, 3, None, (3, 10, None)),
        (10, 4, 3, None, (3, 3, None)),  # the last step of an epoch has fewer batches
        (10, 4, 3, 7, (None, 3, 7)),
        (10, 4, 3, 6, (2, 3, None)),
        (10, 4, 3, 100, (3, 3, None)),
        (10, 4, None, 100, (None, 3, 100)),
        (10, 1, 1.25, None, (None, 10, 13)),
        (10, 1, 0.25, None, (None, 10, 3)),
        (3, 10, 2, None, (2, 1, None)),
        (None, 4, None, 100, (1, 100, None)),
        (None, 4, 3, 100, (1, 100, None)),
    ],
)
def test_the_length_in_steps(batches, accumulation, max_epochs, max_steps, expected):
    assert run_arguments(batches, accumulation, max_epochs, max_steps) == dict(
        zip(("max_epochs", "epoch_length", "max_iters"), expected, strict=True)
    )


@pytest.mark.parametrize(
    "given", [(None, 1, 3, None), (10, 1, None, None), (0, 1, 3, None), (0, 1, None, 5), (10, 1, 0, 5)]
)
def test_a_run_without_an_end_or_a_step_is_refused(given):
    with pytest.raises(ValueError, match="the run must have an end and at least one step"):
        run_arguments(*given)


def test_dry_run_takes_the_arguments():
    scheduler = CosineDecayScheduler(make_optimizer(lr=0.1), "lr", duration=7)
    plan = dry_run(scheduler, **run_arguments(10, 4, 3, 7))
    assert plan["lr"][:, 0].tolist() == scheduler.simulate(7)[:, 0].tolist()
