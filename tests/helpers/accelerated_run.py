"""Runs with accelerate, in one process or as a rank of several: what the optimizer trained with, as JSON."""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from frameworks import STEPS, Recorder, both, leave_group, make_optimizer

from lehr.handlers import as_torch_scheduler


def run(
    steps: int = STEPS,
    *,
    num_processes: int | None = None,
    split_batches: bool = False,
    accumulate: int = 1,
    folder: Path | None = None,
    is_resumed: bool = False,
) -> Recorder:
    """Train for so many steps; load from a folder before, or save to it afterwards."""
    accelerator = Accelerator(
        cpu=True,
        gradient_accumulation_steps=accumulate,
        dataloader_config=DataLoaderConfiguration(split_batches=split_batches),
    )
    model, seen = torch.nn.Linear(2, 1), Recorder()
    optimizer = seen.watch(make_optimizer(model.parameters()))
    scheduler: Any = as_torch_scheduler(both(optimizer), num_processes=num_processes)
    model, optimizer, scheduler = accelerator.prepare(model, optimizer, scheduler)
    if is_resumed:
        accelerator.load_state(str(folder))
    for _ in range(steps * accumulate):
        with accelerator.accumulate(model):
            accelerator.backward(model(torch.ones(2, 2)).sum())
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    if folder and not is_resumed:
        accelerator.save_state(str(folder))
        accelerator.wait_for_everyone()
    return seen


def run_all(num_processes: int, folder: Path) -> dict[str, Any]:
    """What each way of running trains with, and what an unknown number of processes warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        unknown = run()
    return {
        "unknown": unknown,
        "warnings": [str(one.message) for one in caught if "num_processes" in str(one.message)],
        "given": run(num_processes=num_processes),
        "accumulated": run(num_processes=num_processes, accumulate=2),
        "split": run(split_batches=True),
        "resumed": [
            *run(5, num_processes=num_processes, folder=folder),
            *run(STEPS - 5, num_processes=num_processes, folder=folder, is_resumed=True),
        ],
    }


if __name__ == "__main__":
    state = Accelerator(cpu=True).state
    results = run_all(state.num_processes, Path(sys.argv[1]) / "state")
    Path(sys.argv[1], f"rank-{state.process_index}.json").write_text(json.dumps(results))
    leave_group()
