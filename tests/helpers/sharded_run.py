"""A rank of a run with torch's DDP or FSDP2, which is saved as a distributed checkpoint and goes on: JSON of it all."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from frameworks import STEPS, Recorder, both, leave_group, make_optimizer
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from lehr.handlers import ReduceOnPlateauScheduler, as_torch_scheduler
from lehr.handlers.integrations.callback_core import ScheduledOptimizer


def parts(way: str) -> tuple[torch.nn.Module, Any, Any, Recorder]:
    """A model, its optimizer and scheduler, and what the steps will see."""
    torch.manual_seed(0)
    model: Any = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 2))
    if way == "ddp":
        model = DistributedDataParallel(model)
    else:
        fully_shard(model, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    seen = Recorder()
    optimizer = seen.watch(make_optimizer(model.parameters(), torch.optim.AdamW))
    return model, optimizer, as_torch_scheduler(both(optimizer)), seen


def train(model: Any, optimizer: Any, scheduler: Any, steps: int) -> None:
    """The loop of any torch program."""
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.ones(2, 4) * (1 + dist.get_rank())).pow(2).mean().backward()
        optimizer.step()
        scheduler.step()


def weights(model: Any) -> list[list[float]]:
    """The weights of all ranks together."""
    full = [getattr(weight, "full_tensor", lambda weight=weight: weight)() for weight in model.parameters()]
    return [weight.detach().flatten().tolist() for weight in full]


def run(way: str, folder: Path, stop: int = 5) -> dict[str, Any]:
    """An unbroken run, and one that is saved, loaded into new objects, and goes on."""
    model, optimizer, scheduler, unbroken = parts(way)
    train(model, optimizer, scheduler, STEPS)
    expected = weights(model)
    model, optimizer, scheduler, seen = parts(way)
    train(model, optimizer, scheduler, stop)
    of_model, of_optimizer = get_state_dict(model, optimizer)
    dcp.save({"model": of_model, "optimizer": of_optimizer, "scheduler": scheduler}, checkpoint_id=str(folder / way))
    model, optimizer, scheduler, resumed = parts(way)
    of_model, of_optimizer = get_state_dict(model, optimizer)
    state = {"model": of_model, "optimizer": of_optimizer, "scheduler": scheduler}
    dcp.load(state, checkpoint_id=str(folder / way))
    set_state_dict(model, optimizer, model_state_dict=of_model, optim_state_dict=of_optimizer)
    resumed.clear()  # torch makes the state of an optimizer that has none by a step with a learning rate of 0
    train(model, optimizer, scheduler, STEPS - stop)
    return {"unbroken": unbroken, "resumed": [*seen, *resumed], "same weights": weights(model) == expected}


def run_with_metrics(metrics: Sequence[float]) -> list[float]:
    """What the steps see where each rank has other metrics, of which the mean drives a plateau."""
    optimizer = make_optimizer([torch.nn.Parameter(torch.zeros(1))])
    scheduled = ScheduledOptimizer(plateau, optimizer)
    seen = Recorder()
    seen.watch(optimizer)
    for metric in metrics:
        optimizer.step()
        scheduled.step()
        scheduled.observe(metric)
    return seen.rates


def plateau(optimizer: torch.optim.Optimizer) -> ReduceOnPlateauScheduler:
    """It halves the learning rate at the first metric that is no better."""
    return ReduceOnPlateauScheduler(optimizer, "lr", "loss", patience=0, factor=0.5)


METRICS = [[5.0, 4.0, 5.0, 3.0, 3.0], [5.0, 4.0, 2.0, 6.0, 3.0]]  # of each rank

if __name__ == "__main__":
    dist.init_process_group("gloo")
    results: dict[str, Any] = {way: run(way, Path(sys.argv[1])) for way in ("ddp", "fsdp2")}
    results["metrics"] = run_with_metrics(METRICS[dist.get_rank()])
    Path(sys.argv[1], f"rank-{dist.get_rank()}.json").write_text(json.dumps(results))
    leave_group()
