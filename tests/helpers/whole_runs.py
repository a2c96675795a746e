"""A training run with everything in it that a range test must leave as it is."""

import random
from types import SimpleNamespace

import numpy as np
import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import Checkpoint, DiskSaver, EarlyStopping, EMAHandler, global_step_from_engine
from ignite.metrics import Loss, RunningAverage
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lehr.engine import OptimizerEvents
from lehr.handlers import CosineDecayScheduler, OneCycleScheduler, ReduceOnPlateauScheduler

BATCHES = 6


def network() -> nn.Module:
    """A small network with dropout and running means."""
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3))


def data() -> TensorDataset:
    """Three classes of points, which can be told apart."""
    generator = torch.Generator().manual_seed(1)
    y = torch.arange(8 * BATCHES) % 3
    return TensorDataset(torch.randn(len(y), 4, generator=generator) + 2 * torch.eye(3, 4)[y], y)


def whole_run(folder=None, accumulation=1, optimizer_type=torch.optim.AdamW, kind=create_supervised_trainer):
    """A trainer with schedulers, a history, an evaluator, averages, early stopping and checkpoints."""
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    model = network()
    optimizer = optimizer_type([{"params": model[0].parameters()}, {"params": model[1:].parameters()}], lr=1e-2)
    optimizer.param_groups[1]["lr"] = 5e-3
    options = {"gradient_accumulation_steps": accumulation} if accumulation > 1 else {}
    trainer = kind(model, optimizer, nn.functional.cross_entropy, **options)
    evaluator = create_supervised_evaluator(model, {"loss": Loss(nn.functional.cross_entropy)})
    loader = DataLoader(data(), 8, shuffle=True, generator=torch.Generator().manual_seed(7))
    lr = OneCycleScheduler(optimizer, "lr", [1e-2, 5e-3], total_steps=4 * BATCHES, save_history=True)
    lr.attach(trainer)
    decay = CosineDecayScheduler(optimizer, "weight_decay", 4 * BATCHES, save_history=True)
    decay.attach(trainer, OptimizerEvents.STEP_STARTED)
    plateau = ReduceOnPlateauScheduler(optimizer, "eps", "loss", factor=0.5, patience=0, initial_value=1e-8)
    plateau.attach(evaluator, Events.COMPLETED)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run(loader))
    stopping = EarlyStopping(100, lambda engine: -engine.state.metrics["loss"], trainer)
    evaluator.add_event_handler(Events.COMPLETED, stopping)
    RunningAverage(output_transform=float).attach(trainer, "average")
    ema = EMAHandler(model, momentum=0.1)
    ema.attach(trainer, name="ema_momentum")
    if folder is not None:
        saver = DiskSaver(folder, create_dir=True, require_empty=False)
        name = global_step_from_engine(trainer, Events.ITERATION_COMPLETED)
        trainer.add_event_handler(
            Events.ITERATION_COMPLETED(every=4),
            Checkpoint({"model": model}, saver, n_saved=2, global_step_transform=name),
        )
    schedulers = {"lr": lr, "decay": decay, "plateau": plateau}
    return SimpleNamespace(
        model=model, optimizer=optimizer, trainer=trainer, loader=loader, evaluator=evaluator, ema=ema,
        stopping=stopping, schedulers=schedulers, folder=folder,
    )  # fmt: skip


def everything(run) -> dict:
    """All that a range test must leave, as plain data that compares bit for bit."""
    state = vars(run.trainer.state)
    return {
        "model": plain(run.model.state_dict()),
        "ema": plain(run.ema.ema_model.state_dict()),
        "gradients": [plain(param.grad) for param in run.model.parameters()],
        "training": [module.training for module in run.model.modules()],
        "optimizer": plain(run.optimizer.state_dict()),
        "attributes of the optimizer": [list(vars(run.optimizer)), [list(one) for one in run.optimizer.param_groups]],
        "hooks": [list(run.optimizer._optimizer_step_pre_hooks), list(run.optimizer._optimizer_step_post_hooks)],
        "schedulers": {name: one.state_dict() for name, one in run.schedulers.items()},
        "state": {name: plain(one) for name, one in state.items() if name not in ("times", "dataloader")},
        "engine": [run.trainer.last_event_name, run.trainer.should_terminate, run.trainer.state_dict_user_keys[:]],
        "handlers": {event: list(map(id, handlers)) for event, handlers in run.trainer._event_handlers.items()},
        "stopping": run.stopping.state_dict(),
        "evaluator": plain(run.evaluator.state.metrics),
        "random": [plain(torch.get_rng_state()), random.getstate(), plain(np.random.get_state()[1])],  # noqa: NPY002
        "loader": plain(run.loader.generator.get_state()),
        "files": sorted(path.name for path in run.folder.iterdir()) if run.folder is not None else [],
    }


def plain(value):
    """A value with its tensors as bytes."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.detach().contiguous().numpy().tobytes()
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if hasattr(value, "state_dict"):
        return plain(value.state_dict())
    return value if isinstance(value, int | float | str | type(None)) else type(value).__name__
