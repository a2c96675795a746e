"""One leg of a training that may be killed at any moment, and goes on from its newest checkpoint.

Run as ``python -m kill_training SCENARIO FOLDER``, or call :func:`leg` in a process of its own: it makes the training
anew, loads the newest checkpoint of the folder, if there is one, trains to the end, and leaves what has come of it in
``result.json``. Each scenario makes a training of the digits network under schedulers of another kind.
"""

import hashlib
import json
import math
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ignite.engine import Engine, Events, create_supervised_evaluator, create_supervised_trainer
from ignite.engine.deterministic import DeterministicEngine
from ignite.handlers import Checkpoint, DiskSaver
from ignite.metrics import Loss
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from lehr.engine import OptimizerEvents, ParamHistory
from lehr.handlers import (
    ConcatScheduler,
    CosineAnnealingScheduler,
    LRScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    PiecewiseLinear,
    ReduceOnPlateauScheduler,
    SampleClock,
    StateParamScheduler,
    TimeClock,
    TokenClock,
)
from lehr.handlers.schedules import Anneal, Constant, Cosine, LinearInterpolation, Mapped, Plateau

EVERY = 9  # iterations from one checkpoint to the next; it divides no epoch, so that they lie anywhere in it
ACCUMULATED = 3  # batches for one step of the optimizer
OVERFLOWS = (20, 51, 52, 90)  # iterations whose gradients are infinite; the steps at 21, 51, 54 and 90 are skipped

# The file of sklearn's load_digits, without the seconds that the import of sklearn takes.
_sklearn = find_spec("sklearn")
assert _sklearn is not None
assert _sklearn.origin is not None
_digits = np.loadtxt(Path(_sklearn.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
IMAGES = torch.tensor(_digits[:, :-1] / 16.0, dtype=torch.float32).reshape(-1, 1, 8, 8)
LABELS = torch.tensor(_digits[:, -1], dtype=torch.int64)


class Batches:
    """Shuffled batches that depend on the iteration alone, since ignite begins the data anew when it resumes."""

    def __init__(self, trainer: Engine, size: int) -> None:
        self.trainer, self.size = trainer, size

    def __len__(self) -> int:
        return len(LABELS) // self.size

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        epoch, first = divmod(self.trainer.state.iteration, len(self))
        order = torch.randperm(len(LABELS), generator=torch.Generator().manual_seed(epoch))
        for batch in range(first, len(self)):
            chosen = order[batch * self.size : (batch + 1) * self.size]
            yield IMAGES[chosen], LABELS[chosen]


class Gradients:
    """What was accumulated since the last step, which no other object of a checkpoint holds."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def state_dict(self) -> dict[str, torch.Tensor | None]:
        return {name: parameter.grad for name, parameter in self.model.named_parameters()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor | None]) -> None:
        for name, parameter in self.model.named_parameters():
            parameter.grad = state[name]


@dataclass
class Training:
    """All that a leg needs of a scenario."""

    trainer: Engine
    data: Iterable[Any]
    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedulers: dict[str, Any]
    others: dict[str, Any] = field(default_factory=dict)
    epochs: int = 4
    saves_epoch_ends: bool = True
    safe_globals: list[Any] = field(default_factory=list)

    def to_save(self) -> dict[str, Any]:
        history = self.trainer.state.param_history
        objects = {"model": self.model, "optimizer": self.optimizer, "trainer": self.trainer, "history": history}
        return {**objects, **self.schedulers, **self.others}


def make_network(last: nn.Module | None = None) -> nn.Sequential:
    torch.manual_seed(0)
    convolution = [nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*convolution, nn.Flatten(), *([] if last is None else [last]), nn.Linear(128, 10))


def make_sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)


def with_history(trainer: Engine, max_events: int | None = None) -> Engine:
    trainer.state.param_history = ParamHistory(max_events=max_events)
    return trainer


def one_cycle() -> Training:
    """The learning rate and momentum, at every iteration."""
    model = make_network()
    optimizer = make_sgd(model)
    trainer = with_history(create_supervised_trainer(model, optimizer, cross_entropy))
    data = Batches(trainer, size=64)
    steps = 4 * len(data)
    schedulers = {
        "lr": OneCycleScheduler(optimizer, "lr", 0.1, total_steps=steps, save_history=True),
        "momentum": OneCycleScheduler(
            optimizer, "momentum", 0.95, base_value=0.85, inverse=True, total_steps=steps, save_history=True
        ),
    }
    for scheduler in schedulers.values():
        scheduler.attach(trainer)
    return Training(trainer, data, model, optimizer, schedulers)


def epochs() -> Training:
    """At the start of epochs, which ignite fires again where it resumes, and at their end; the history is thinned."""
    model = make_network()
    optimizer = make_sgd(model)

    def train(engine: Engine, batch: Any) -> float:
        model.train()
        optimizer.zero_grad()
        loss = cross_entropy(model(batch[0]), batch[1], label_smoothing=engine.state.smoothing)
        (loss * engine.state.weight).backward()
        optimizer.step()
        return loss.item()

    trainer = with_history(Engine(train), max_events=5)
    trainer.state.weight = 1.0
    lr = CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.001, cycle_size=6, save_history=True)
    decay = ParamScheduler(optimizer, "weight_decay", save_history=True, schedule=Anneal(1e-3, 0.0, 5))
    smoothing = StateParamScheduler(
        "smoothing", save_history=True, create_new=True, schedule=LinearInterpolation([(0, 0.3), (13, 0.0)])
    )
    weight = StateParamScheduler("weight", save_history=True, schedule=Anneal(2.0, 1.0, 13))
    lr.attach(trainer, Events.EPOCH_STARTED)
    decay.attach(trainer, Events.EPOCH_STARTED(every=3))
    smoothing.attach(trainer, Events.EPOCH_STARTED)
    weight.attach(trainer, Events.EPOCH_COMPLETED)
    schedulers = {"lr": lr, "decay": decay, "smoothing": smoothing, "weight": weight}
    # The 63rd iteration ends an epoch, so that one checkpoint has the end of the iteration, but not that of the epoch.
    data = Batches(trainer, size=256)  # 7 iterations
    return Training(trainer, data, model, optimizer, schedulers, epochs=14, saves_epoch_ends=False)


def plateau() -> Training:
    """By the metric of an evaluator that runs after each epoch: a plateau, and phases that it begins."""
    model = make_network()
    optimizer = make_sgd(model)
    trainer = with_history(create_supervised_trainer(model, optimizer, cross_entropy))
    evaluator = create_supervised_evaluator(model, {"loss": Loss(cross_entropy)})
    rule = {"threshold": 0.3, "threshold_mode": "abs"}  # so much is gained at first alone
    lr = ReduceOnPlateauScheduler(
        optimizer, "lr", "loss", factor=0.5, patience=1, **rule, save_history=True, trainer=trainer
    )
    momentum = PhaseScheduler(
        optimizer,
        "momentum",
        [Constant(0.95), Anneal(1.0, 0.9, 10)],
        save_history=True,
        flat=Plateau(patience=3, **rule),
    )
    momentum.attach(trainer)
    lr.attach(evaluator, Events.COMPLETED)
    evaluator.add_event_handler(Events.COMPLETED, momentum.observe)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([(IMAGES[:300], LABELS[:300])]))
    # No checkpoint at an iteration ends an epoch of 14: ignite would not evaluate again what it has not evaluated yet.
    data = Batches(trainer, size=128)
    return Training(trainer, data, model, optimizer, {"lr": lr, "momentum": momentum}, epochs=8)


def real_steps() -> Training:
    """At real steps alone, of which accumulation makes fewer and a GradScaler skips some."""
    model = make_network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=5)

    def train(engine: Engine, batch: Any) -> float:
        model.train()
        loss = cross_entropy(model(batch[0]), batch[1]) / ACCUMULATED
        scaler.scale(loss * math.inf if engine.state.iteration in OVERFLOWS else loss).backward()
        if engine.state.iteration % ACCUMULATED == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        return loss.item()

    trainer = with_history(Engine(train))
    lr = ParamScheduler(optimizer, "lr", save_history=True, schedule=Anneal(0.01, 0.0, 34, Cosine()))
    decay = ParamScheduler(optimizer, "weight_decay", save_history=True, schedule=Anneal(0.1, 0.0, 11))
    lr.attach(trainer, OptimizerEvents.STEP_STARTED)
    decay.attach(trainer, OptimizerEvents.STEP_STARTED(every=3))
    others = {"scaler": scaler, "gradients": Gradients(model)}
    return Training(trainer, Batches(trainer, 64), model, optimizer, {"lr": lr, "decay": decay}, others)


def warmup() -> Training:
    """A warm-up and then one of torch's schedulers, and dropout whose masks come from torch's own random numbers."""
    dropout = nn.Dropout()
    model = make_network(dropout)
    optimizer = make_sgd(model)

    def train(engine: Engine, batch: Any) -> float:
        model.train()
        dropout.p = engine.state.dropout
        optimizer.zero_grad()
        loss = cross_entropy(model(batch[0]), batch[1])
        loss.backward()
        optimizer.step()
        return loss.item()

    # A DeterministicEngine keeps the random numbers with its state. It winds any data but a DataLoader to the iteration
    # by itself, and then goes on exactly within an epoch, though not from the end of one, where it takes the seed of
    # the first epoch. (With a DataLoader without workers it is the other way round.) Its state holds an array of NumPy.
    trainer = with_history(DeterministicEngine(train))
    rates = LinearInterpolation([(0, 0.0), (60, 0.5), (112, 0.1)])
    state = StateParamScheduler("dropout", save_history=True, create_new=True, schedule=rates)
    wrapped = LRScheduler(CosineAnnealingWarmRestarts(optimizer, T_0=20, T_mult=2, eta_min=0.001))
    lr = ConcatScheduler([PiecewiseLinear(optimizer, "lr", [(0, 0.0), (15, 0.05)]), wrapped], [16], save_history=True)
    lr.attach(trainer)
    state.attach(trainer, Events.ITERATION_STARTED)
    return Training(
        trainer,
        list(zip(IMAGES.split(64)[:28], LABELS.split(64)[:28], strict=True)),
        model,
        optimizer,
        {"lr": lr, "dropout": state},
        saves_epoch_ends=False,
        safe_globals=[np.zeros(0).__reduce__()[0], np.ndarray, np.dtype, type(np.dtype("uint32"))],
    )


def groups() -> Training:
    """Coupled parameters, and phases that an event begins, under a thinned history."""
    model = make_network()
    body, head = model[:-1].parameters(), model[-1].parameters()
    optimizer = torch.optim.AdamW([{"params": body}, {"params": head, "lr": 0.005}], lr=0.01)
    trainer = with_history(create_supervised_trainer(model, optimizer, cross_entropy), max_events=16)
    rate = Anneal(0.01, 0.0001, 112, Cosine())
    schedulers = {
        "lr and decay": ParamGroupScheduler(
            [
                ParamScheduler(optimizer, "lr", param_group_index=0, schedule=rate),
                ParamScheduler(optimizer, "lr", param_group_index=1, schedule=Mapped(rate, half)),
                ParamScheduler(optimizer, "weight_decay", schedule=Mapped(rate, coupled)),
            ],
            names=["lr", "lr of the head", "weight_decay"],
            save_history=True,
        ),
        "beta": PhaseScheduler(
            optimizer, "betas[0]", [Constant(0.95), Anneal(1.0, 0.9, 40), Anneal(1.0, 1.05, 10)], save_history=True
        ),
    }
    for scheduler in schedulers.values():
        scheduler.attach(trainer)
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=37), schedulers["beta"].next_phase)
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=3), schedulers["beta"].next_phase)
    return Training(trainer, Batches(trainer, size=64), model, optimizer, schedulers)


def half(rate: float) -> float:
    return rate / 2


def coupled(rate: float) -> float:
    return 0.001 / rate


class Ragged(Batches):
    """Batches of different lengths, which depend on the iteration alone."""

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for iteration, (images, labels) in enumerate(super().__iter__(), start=self.trainer.state.iteration):
            length = self.size - iteration * 7 % 40
            yield images[:length], labels[:length]


def tokens() -> Training:
    """By tokens, here the pixels that are not empty: at real steps, with accumulation, and at iterations with a lag."""
    model = make_network()
    optimizer = make_sgd(model)

    def train(engine: Engine, batch: Any) -> float:
        model.train()
        loss = cross_entropy(model(batch[0]), batch[1]) / ACCUMULATED
        loss.backward()
        if engine.state.iteration % ACCUMULATED == 0:
            optimizer.step()
            optimizer.zero_grad()
        return loss.item()

    trainer = with_history(Engine(train))

    def of_batch(engine: Engine) -> torch.Tensor:
        return (engine.state.batch[0] > 0).sum()

    lr = OneCycleScheduler(optimizer, "lr", 0.1, total_steps=190_000, save_history=True)
    momentum = ParamScheduler(optimizer, "momentum", save_history=True, schedule=Anneal(0.95, 0.85, 150_000, Cosine()))
    lr.attach(trainer, OptimizerEvents.STEP_STARTED, clock=TokenClock(of_batch))
    momentum.attach(trainer, clock=TokenClock(of_batch, lag=4))
    schedulers = {"lr": lr, "momentum": momentum}
    return Training(trainer, Ragged(trainer, 64), model, optimizer, schedulers, {"gradients": Gradients(model)})


def samples() -> Training:
    """By samples: at iterations, at some of them, and at the start of epochs, which ignite fires again."""
    model = make_network()
    optimizer = make_sgd(model)
    trainer = with_history(create_supervised_trainer(model, optimizer, cross_entropy))
    lr = ParamScheduler(optimizer, "lr", save_history=True, schedule=Anneal(0.1, 0.0, 5000, Cosine()))
    momentum = ParamScheduler(optimizer, "momentum", save_history=True, schedule=Anneal(0.95, 0.85, 4000))
    decay = ParamScheduler(optimizer, "weight_decay", save_history=True, schedule=Anneal(1e-3, 0.0, 4000))
    lr.attach(trainer, clock=SampleClock())
    momentum.attach(trainer, Events.ITERATION_STARTED(every=4), clock=SampleClock())
    decay.attach(trainer, Events.EPOCH_STARTED, clock=SampleClock())
    schedulers = {"lr": lr, "momentum": momentum, "decay": decay}
    return Training(trainer, Ragged(trainer, 64), model, optimizer, schedulers)


def simulated_time(trainer: Engine) -> Callable[[], float]:
    """A clock of steps that take from 50 to 110 ms."""
    return lambda: sum(50 + iteration * 7 % 61 for iteration in range(trainer.state.iteration)) / 1000


def seconds() -> Training:
    """By a simulated time, whose steps take from 50 to 110 ms."""
    model = make_network()
    optimizer = make_sgd(model)
    trainer = with_history(create_supervised_trainer(model, optimizer, cross_entropy))

    lr = ParamScheduler(optimizer, "lr", save_history=True, schedule=Anneal(0.1, 0.0, 10_000, Cosine()))
    decay = ParamScheduler(optimizer, "weight_decay", save_history=True, schedule=Anneal(1e-3, 0.0, 7000))
    lr.attach(trainer, clock=TimeClock(now=simulated_time(trainer)))
    decay.attach(trainer, Events.EPOCH_STARTED, clock=TimeClock(now=simulated_time(trainer)))
    return Training(trainer, Batches(trainer, 64), model, optimizer, {"lr": lr, "decay": decay})


def landing() -> Training:
    """By a budget of a simulated time: the cool-down begins, and the run ends, as the steps take longer."""
    model = make_network()
    optimizer = make_sgd(model)
    trainer = with_history(create_supervised_trainer(model, optimizer, cross_entropy))

    lr = ParamScheduler(optimizer, "lr", save_history=True, schedule=LinearInterpolation([(0, 0.0), (10, 0.1)]))
    decay = ParamScheduler(optimizer, "weight_decay", save_history=True, schedule=Anneal(1e-3, 1e-4, 500))
    clock = TimeClock(budget="8.5 s", cooldown="40%", now=simulated_time(trainer))
    for scheduler in (lr, decay):
        scheduler.attach(trainer, clock=clock)
    return Training(trainer, Batches(trainer, 64), model, optimizer, {"lr": lr, "decay": decay})


SCENARIOS: dict[str, Callable[[], Training]] = {
    scenario.__name__: scenario
    for scenario in (one_cycle, epochs, plateau, real_steps, warmup, groups, tokens, samples, seconds, landing)
}


def newest(folder: Path) -> Path | None:
    """The last checkpoint that is complete, which DiskSaver gives its name only when it is."""
    complete = (folder / "checkpoints").glob("checkpoint_*.pt")
    return max(complete, key=iteration_of, default=None)


def iteration_of(checkpoint: Path) -> int:
    return int(checkpoint.stem.removeprefix("checkpoint_"))


def plain(thing: Any) -> Any:
    """Any state as what JSON can hold, in which two are equal only if they are bit for bit."""
    if isinstance(thing, Mapping):
        return {str(key): plain(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [plain(value) for value in thing]
    if isinstance(thing, torch.Tensor):
        digest = hashlib.sha256(thing.detach().contiguous().numpy().tobytes()).hexdigest()
        return [str(thing.dtype), list(thing.shape), digest]
    if isinstance(thing, np.ndarray):
        return thing.tolist()
    return thing.hex() if isinstance(thing, float) else thing


def train(training: Training, folder: Path) -> None:
    trainer, to_save = training.trainer, training.to_save()

    disk = DiskSaver(folder / "checkpoints", atomic=True, create_dir=True, require_empty=False)
    saver = Checkpoint(to_save, disk, n_saved=2)
    event = Events.ITERATION_COMPLETED(every=EVERY)
    trainer.add_event_handler(event | Events.EPOCH_COMPLETED if training.saves_epoch_ends else event, saver)

    if (path := newest(folder)) is not None:
        torch.serialization.add_safe_globals(training.safe_globals)
        checkpoint = torch.load(path, weights_only=True)
        Checkpoint.load_objects(to_load=to_save, checkpoint=checkpoint)
    with (folder / "progress").open("wb", buffering=0) as progress:  # one byte for each iteration that has begun
        trainer.add_event_handler(Events.ITERATION_STARTED, lambda: progress.write(b"."))
        if trainer.state.iteration < training.epochs * len(training.data):  # ignite trains what is complete once more
            trainer.run(training.data, max_epochs=training.epochs)
    result = {name: plain(saved.state_dict()) for name, saved in to_save.items()}
    (folder / "result.json").write_text(json.dumps(result))


def leg(scenario: str, folder: Path) -> None:
    warnings.simplefilter("error")  # a ResumeWarning, and any other
    torch.set_num_threads(1)
    try:
        train(SCENARIOS[scenario](), folder)
    except BaseException:
        (folder / "error.txt").write_text(traceback.format_exc())
        raise


if __name__ == "__main__":
    leg(sys.argv[1], Path(sys.argv[2]))
