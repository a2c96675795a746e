"""A rank of runs with Lightning's DDP on gloo, which are saved and go on: what the optimizer's steps saw, as JSON."""

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812 -- as its users write
import torch
from frameworks import Recorder, both, leave_group, make_optimizer
from torch.utils.data import DataLoader, TensorDataset

from lehr.handlers import ReduceOnPlateauScheduler, as_torch_scheduler
from lehr.handlers.integrations.lightning import SchedulerCallback, run_length

EPOCHS, BATCHES = 2, 6  # of each rank
RANK = int(os.environ["RANK"])
LOSSES = [[5.0, 4.0, 6.0, 3.0], [5.0, 4.0, 3.0, 6.0]]  # of each rank, epoch by epoch


def plateau(optimizer: torch.optim.Optimizer) -> ReduceOnPlateauScheduler:
    """It halves the learning rate at the first metric that is no better."""
    return ReduceOnPlateauScheduler(optimizer, "lr", "val_loss", patience=0, factor=0.5)


class Module(L.LightningModule):
    """One layer, trained with what ``make`` makes of the optimizer, if anything."""

    def __init__(self, make: Any = None, sync: bool = True, **entry: Any) -> None:
        super().__init__()
        self.layer, self.seen = torch.nn.Linear(2, 1), Recorder()
        self.make, self.sync, self.entry, self.run = make, sync, entry, {}

    def training_step(self, batch: Any, batch_index: int) -> torch.Tensor:
        """The loss of a batch."""
        return self.layer(batch[0]).pow(2).mean()

    def validation_step(self, batch: Any, batch_index: int) -> None:
        """Each rank has a loss of its own."""
        self.log("val_loss", LOSSES[RANK][self.current_epoch], sync_dist=self.sync)

    def configure_optimizers(self) -> Any:
        """An optimizer that is watched."""
        self.run = dict(run_length(self.trainer))
        optimizer = self.seen.watch(make_optimizer(self.parameters()))
        if self.make is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self.make(optimizer), **self.entry}}


def data() -> DataLoader:
    """The data of all ranks."""
    return DataLoader(TensorDataset(torch.ones(4 * BATCHES, 2)), batch_size=2)


def fitted(module: Module, folder: Path, callback: Any = None, path: Any = None, **arguments: Any) -> L.Trainer:
    """A trainer that has trained."""
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False)
    arguments = {"max_epochs": EPOCHS, "limit_val_batches": 0, **quiet, **arguments}
    trainer = L.Trainer(
        accelerator="cpu",
        strategy="ddp",
        devices=2,
        default_root_dir=folder,
        callbacks=[callback] if callback else [],
        **arguments,
    )
    trainer.fit(module, data(), data(), ckpt_path=path)
    return trainer


def results_of(way: str, folder: Path) -> dict[str, Any]:
    """An unbroken run, one with accumulated batches, and one that is saved after an epoch and goes on."""

    def parts() -> tuple[Module, Any]:
        if way == "callback":
            return Module(), SchedulerCallback(both)
        return Module(lambda one: as_torch_scheduler(both(one)), interval="step"), None

    module, callback = parts()
    trainer = fitted(module, folder, callback)
    accumulated, callback = parts()
    fitted(accumulated, folder, callback, max_epochs=4, accumulate_grad_batches=2)
    first, callback = parts()
    fitted(first, folder, callback, max_epochs=1).save_checkpoint(folder / f"{way}.ckpt")
    resumed, callback = parts()
    fitted(resumed, folder, callback, folder / f"{way}.ckpt")
    return {
        "unbroken": module.seen,
        "steps": trainer.global_step,
        "run": module.run,
        "accumulated": accumulated.seen,
        "resumed": [*first.seen, *resumed.seen],
    }


def driven(folder: Path) -> dict[str, list[float]]:
    """Runs of which each rank has losses of its own: the callback and Lightning take their mean."""
    arguments = {"max_epochs": 4, "limit_val_batches": 1, "num_sanity_val_steps": 0}
    by_callback = Module(sync=False)
    fitted(by_callback, folder, SchedulerCallback(plateau), **arguments)
    entry = {"interval": "epoch", "monitor": "val_loss", "reduce_on_plateau": True}
    by_lightning = Module(lambda one: as_torch_scheduler(plateau(one)), **entry)
    fitted(by_lightning, folder, **arguments)
    return {"callback": by_callback.seen.rates, "adapter": by_lightning.seen.rates}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    results: dict[str, Any] = {way: results_of(way, Path(sys.argv[1])) for way in ("adapter", "callback")}
    results["driven"] = driven(Path(sys.argv[1]))
    Path(sys.argv[1], f"rank-{RANK}.json").write_text(json.dumps(results))
    leave_group()
