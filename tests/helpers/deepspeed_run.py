"""A rank of runs with DeepSpeed, which are saved and go on: what the optimizer's steps saw, as JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import deepspeed
import torch
from frameworks import STEPS, Recorder, both, leave_group, make_optimizer

from lehr.handlers import ReduceOnPlateauScheduler, as_torch_scheduler

LOSSES = [5.0, 4.0, 4.5, 4.2, 3.0]


def adapted(optimizer: torch.optim.Optimizer) -> Any:
    """What is given to ``deepspeed.initialize``, or a function that it calls."""
    return as_torch_scheduler(both(optimizer))


def engine_of(
    seen: Recorder, make: Any = adapted, stage: int = 0, accumulate: int = 1, is_function: bool = False
) -> Any:
    """An engine of DeepSpeed with a small model."""
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    optimizer = seen.watch(make_optimizer(model.parameters(), torch.optim.AdamW))
    engine, _, _, _ = deepspeed.initialize(
        model=model,
        optimizer=optimizer,
        lr_scheduler=make if is_function else make(optimizer),
        config={
            "train_micro_batch_size_per_gpu": 2,
            "gradient_accumulation_steps": accumulate,
            "zero_optimization": {"stage": stage},
            "zero_allow_untested_optimizer": True,
            "zero_force_ds_cpu_optimizer": False,
            "steps_per_print": 10**9,
        },
        dist_init_required=False,
    )
    return engine


def train(engine: Any, batches: int, **kwargs: Any) -> None:
    """DeepSpeed's own loop, in which the engine steps the optimizer and the scheduler."""
    for _ in range(batches):
        engine.backward(engine(torch.ones(2, 2)).sum())
        engine.step(**kwargs)


def run(**kwargs: Any) -> Recorder:
    """An unbroken run."""
    seen = Recorder()
    train(engine_of(seen, **kwargs), STEPS * kwargs.get("accumulate", 1))
    return seen


def resumed(folder: Path, stage: int) -> list[Any]:
    """A run that is saved, and goes on in a new engine."""
    seen, later = Recorder(), Recorder()
    engine = engine_of(seen, stage=stage)
    train(engine, 5)
    engine.save_checkpoint(str(folder / f"stage-{stage}"))
    engine = engine_of(later, stage=stage)
    engine.load_checkpoint(str(folder / f"stage-{stage}"))
    train(engine, STEPS - 5)
    return [*seen, *later]


def driven() -> list[float]:
    """A run whose metric the engine passes on."""
    seen = Recorder()
    engine = engine_of(
        seen, lambda one: as_torch_scheduler(ReduceOnPlateauScheduler(one, "lr", "loss", patience=0, factor=0.5))
    )
    for loss in LOSSES:
        train(engine, 1, lr_kwargs={"metrics": loss})
    return seen.rates


if __name__ == "__main__":
    deepspeed.init_distributed("gloo")
    results = {
        "plain": run(),
        "accumulated": run(accumulate=3),
        "function": run(is_function=True),
        "ZeRO 1": run(stage=1),
        "ZeRO 2": run(stage=2, accumulate=2),
        "resumed": resumed(Path(sys.argv[1]), stage=0),
        "resumed ZeRO 1": resumed(Path(sys.argv[1]), stage=1),
        "driven": driven(),
    }
    Path(sys.argv[1], f"rank-{torch.distributed.get_rank()}.json").write_text(json.dumps(results))
    leave_group()
