"""A rank of runs with Hugging Face's Trainer, which are saved and go on: what the optimizer's steps saw, as JSON."""

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from frameworks import STEPS, Recorder, both, leave_group, make_optimizer

from lehr.handlers import ReduceOnPlateauScheduler, as_torch_scheduler
from lehr.handlers.integrations.transformers import SchedulerCallback, run_length

SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
SAMPLES = 4 * STEPS - 1  # two ranks, two samples each, and a last batch that is not full
LOSSES = [5.0, 4.0, 4.5, 4.2]


def plateau(optimizer: torch.optim.Optimizer) -> ReduceOnPlateauScheduler:
    """It halves the learning rate at the first metric that is no better."""
    return ReduceOnPlateauScheduler(optimizer, "lr", "eval_loss_by_hand", patience=0, factor=0.5)


def data(samples: int = SAMPLES) -> list[dict[str, Any]]:
    """Made by hand."""
    return [{"input_ids": torch.arange(at, at + 5) % 20, "labels": at % 2} for at in range(samples)]


def trained(way: str, folder: Path, make: Any = both, resume: str | None = None, **arguments: Any) -> dict[str, Any]:
    """What a run saw, and what its length was said to be."""
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=20, num_labels=2, **SIZES)
    model, seen, losses = transformers.BertForSequenceClassification(config), Recorder(), list(LOSSES)
    optimizer = seen.watch(make_optimizer(model.parameters()))
    arguments = transformers.TrainingArguments(
        str(folder / way),
        per_device_train_batch_size=2,
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
        **{"num_train_epochs": 1, "save_strategy": "no", **arguments},
    )
    trainer = transformers.Trainer(
        model,
        arguments,
        train_dataset=data(),
        eval_dataset=data(4),
        optimizers=(optimizer, None if way == "callback" else as_torch_scheduler(make(optimizer))),
        callbacks=[SchedulerCallback(make)] if way == "callback" else None,
        compute_metrics=lambda predictions: {"loss_by_hand": losses.pop(0)},
    )
    trainer.train(resume_from_checkpoint=resume)
    return {"seen": seen, "steps": trainer.state.global_step, "run": run_length(arguments, SAMPLES)}


def results_of(way: str, folder: Path) -> dict[str, Any]:
    """An unbroken run that is saved, the rest of it, and others with accumulated and with split batches."""
    return {
        "unbroken": trained(way, folder, save_strategy="steps", save_steps=5),
        "resumed": trained(way, folder, resume=str(folder / way / "checkpoint-5")),
        "accumulated": trained(way, folder, gradient_accumulation_steps=2, num_train_epochs=2),
        "split": trained(way, folder, accelerator_config={"split_batches": True}, max_steps=STEPS),
        "dropped": trained(way, folder, dataloader_drop_last=True),
    }


if __name__ == "__main__":
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results: dict[str, Any] = {way: results_of(way, Path(sys.argv[1])) for way in ("adapter", "callback")}
        driven = trained("callback", Path(sys.argv[1]), plateau, eval_strategy="steps", eval_steps=3)
    results["driven"] = driven["seen"].rates
    results["warnings"] = [str(one.message) for one in caught if "num_processes" in str(one.message)]
    Path(sys.argv[1], f"rank-{os.environ['RANK']}.json").write_text(json.dumps(results))
    leave_group()
