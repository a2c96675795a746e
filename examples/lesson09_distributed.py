"""Lesson 9: train on several ranks; each rank trains on its own share of every batch.

Run it under torchrun, or let ignite start the processes; it takes about fifteen seconds on two cores::

    torchrun --nproc_per_node 2 examples/lesson09_distributed.py
    python examples/lesson09_distributed.py --nproc 2

Every rank has its own copy of the network, the optimizer and the schedulers. Gradients are averaged, so the copies of
the network stay the same as long as all ranks step with the same learning rate and weight decay. A schedule of the
event index is equal on all ranks. A schedule that depends on a metric is, too, since lehr combines the metrics of all
ranks. ``DriftCheck`` checks both.

To stop after 3 of 8 epochs, and then resume from the newest checkpoint, perhaps with another number of ranks::

    torchrun --nproc_per_node 2 examples/lesson09_distributed.py --until 3
    torchrun --nproc_per_node 4 examples/lesson09_distributed.py --resume

The learning rates then equal those of a run without a stop, bit for bit. On one or two ranks, the weights do, too. On
more ranks the weights differ slightly: after its first step, DistributedDataParallel adds the gradients in another
order. With another number of ranks, batch norm also sees other shares.

As measured on two ranks, the test accuracy is 0.9844, and weight decay is halved in epochs 7 and 8.

The picture, ``runs/distributed/schedules.png``, shows the learning rate and weight decay that rank 0 recorded.
"""

import argparse
import gc
import os
import tempfile
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from digits import BATCH_SIZE, STEPS_PER_EPOCH, make_network, save, test_loader, train_set
from ignite.engine import Engine, Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import Checkpoint, DiskSaver
from ignite.metrics import Accuracy
from matplotlib.figure import Figure
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, Subset

from lehr.engine import ParamHistory
from lehr.handlers import (
    CosineDecayScheduler,
    DriftCheck,
    ReduceOnPlateauScheduler,
    create_lr_scheduler_with_warmup,
)

PEAK = 0.1


# 1. The data of one rank.


def share_of_training() -> tuple[DataLoader[Any], DistributedSampler[Any]]:
    """This rank's part of every batch of 64, however many ranks there are.

    So an epoch has the same number of iterations on any number of ranks, and schedules need no change.
    """
    ranks, rank = idist.get_world_size(), idist.get_rank()
    if BATCH_SIZE % ranks:
        raise ValueError(f"the number of ranks must divide the batch size, {BATCH_SIZE}, given {ranks}")
    sampler: DistributedSampler[Any] = DistributedSampler(train_set, ranks, rank, seed=0, drop_last=True)
    # ignite divides the batch size by the number of ranks.
    loader: Any = idist.auto_dataloader(train_set, batch_size=BATCH_SIZE, sampler=sampler, drop_last=True)
    assert len(loader) == STEPS_PER_EPOCH
    return loader, sampler


def share_of_test() -> DataLoader[Any]:
    """One batch of the test images: every second one on two ranks."""
    images = test_loader.dataset
    share = range(idist.get_rank(), len(images), idist.get_world_size())  # type: ignore[arg-type]
    return DataLoader(Subset(images, share), batch_size=len(share))


# 2. A training, which each rank runs.


def train(local_rank: int, options: argparse.Namespace) -> None:
    """Train from the beginning, or from the newest checkpoint, until an epoch."""
    torch.manual_seed(0)
    loader, sampler = share_of_training()
    network = idist.auto_model(make_network())  # on several ranks a DistributedDataParallel
    optimizer = idist.auto_optim(torch.optim.SGD(network.parameters(), PEAK, momentum=0.9, weight_decay=1e-3))
    trainer = create_supervised_trainer(network, optimizer, nn.CrossEntropyLoss(), device=idist.device())
    trainer.state.param_history = history = ParamHistory()
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda: sampler.set_epoch(trainer.state.epoch))

    # The learning rate at every iteration: up to the peak in the first epoch, then down in the others.
    decay = CosineDecayScheduler(optimizer, "lr", (options.epochs - 1) * STEPS_PER_EPOCH, end_value=PEAK / 1000)
    lr = create_lr_scheduler_with_warmup(decay, 0.0, STEPS_PER_EPOCH, save_history=True)
    lr.attach(trainer)

    # Weight decay at every epoch: halved where the loss has not become smaller by a third. Each rank knows no more than
    # the loss of its own share; with reduction="mean", the default, all of them act on the mean.
    losses: list[Any] = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: losses.append(trainer.state.output))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, put_mean_of, losses)
    weight_decay = ReduceOnPlateauScheduler(
        optimizer, "weight_decay", "loss", factor=0.5, patience=0, threshold=1 / 3, save_history=True
    )
    weight_decay.attach(trainer, Events.EPOCH_COMPLETED)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, DriftCheck([lr, weight_decay]))

    # The accuracy on all test images: ignite's own metrics come with the counts of all ranks.
    evaluator = create_supervised_evaluator(network, {"accuracy": Accuracy()}, device=idist.device())
    test_share = share_of_test()

    def evaluate() -> None:
        accuracy = evaluator.run(test_share).metrics["accuracy"]
        if idist.get_rank() == 0:
            decayed = optimizer.param_groups[0]["weight_decay"]
            print(f"epoch {trainer.state.epoch}: weight decay {decayed:g}, test accuracy {accuracy:.4f}", flush=True)

    trainer.add_event_handler(Events.EPOCH_COMPLETED, evaluate)

    # A checkpoint after everything else of an epoch. All ranks are alike, so rank 0 saves for all.
    to_save = {
        "network": network,
        "optimizer": optimizer,
        "trainer": trainer,
        "lr": lr,
        "weight_decay": weight_decay,
        "history": history,
    }
    folder = options.output / "checkpoints"
    if options.resume:
        path = newest_checkpoint(folder)
        Checkpoint.load_objects(to_save, torch.load(path, map_location=idist.device(), weights_only=True))
        if trainer.state.epoch >= options.until:  # ignite would begin such a run anew
            raise ValueError(f"the run must go on after epoch {trainer.state.epoch}, given --until {options.until}")
    elif any(folder.glob("checkpoint_*.pt")):
        raise FileExistsError(f"{folder} must be empty where a run begins: give --resume, or another --output")
    saver = Checkpoint(to_save, DiskSaver(folder, require_empty=False), n_saved=2)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, saver)

    trainer.run(loader, max_epochs=options.until)
    if idist.get_rank() == 0:
        history.to_csv(options.output / "history.csv")
        draw(history, options.output / "schedules.png")
        print(f"wrote history.csv and checkpoints to {options.output}/")
        print(f"test accuracy: {evaluator.state.metrics['accuracy']:.4f}")


def put_mean_of(trainer: Engine, losses: list[float]) -> None:
    """Make the mean loss of this rank's share of the epoch a metric."""
    trainer.state.metrics["loss"] = sum(losses) / len(losses)
    losses.clear()


def draw(history: ParamHistory, path: Path) -> None:
    """The learning rate at each iteration, and weight decay at each epoch."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, 1)
    history.plot("lr", above)
    above.set_xlabel("iteration")
    history.plot("weight_decay", below, drawstyle="steps-post", marker="o")
    below.set_xlabel("epoch")
    figure.suptitle(f"Recorded on rank 0 of {idist.get_world_size()}; on all ranks it is the same")
    save(figure, path)


def newest_checkpoint(folder: Path) -> Path:
    """The checkpoint with the most iterations."""
    if not any(folder.glob("checkpoint_*.pt")):
        raise FileNotFoundError(f"there must be a checkpoint to resume from, given {folder}, where there is none")
    return max(folder.glob("checkpoint_*.pt"), key=lambda path: int(path.stem.removeprefix("checkpoint_")))


# 3. The processes.


def run(local_rank: int, options: argparse.Namespace) -> None:
    """Train, and free the network before ignite closes the process group.

    Trainer and handlers refer to each other, so only the garbage collector frees them, and the network with them. A
    network that still holds the group keeps Gloo's threads alive, and Gloo can abort a process that ends before them.
    """
    train(local_rank, options)
    gc.collect()


def main() -> None:
    """Run the training in each of the processes."""
    parser = argparse.ArgumentParser(description="Data-parallel training on the digits data.")
    parser.add_argument("--epochs", type=int, default=8, help="what the learning rate is planned for")
    parser.add_argument("--until", type=int, help="stop after so many epochs, to be resumed; default: all")
    parser.add_argument(
        "--nproc", type=int, default=torch.cuda.device_count() or 2, help="processes to start, without torchrun"
    )
    parser.add_argument("--backend", choices=["gloo", "nccl"], help="default: nccl where there are CUDA devices")
    parser.add_argument("--output", type=Path, default=Path("runs/distributed"), help="folder of what is written")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    options = parser.parse_args()
    options.until = options.until or options.epochs
    backend = options.backend or ("nccl" if torch.cuda.is_available() else "gloo")

    if "LOCAL_RANK" in os.environ:  # torchrun has started this process, and the others
        with idist.Parallel(backend) as parallel:
            parallel.run(run, options)
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting_point = f"file://{folder}/ranks"  # instead of a port, which may be taken
        with idist.Parallel(backend, nproc_per_node=options.nproc, init_method=meeting_point) as parallel:
            parallel.run(run, options)


if __name__ == "__main__":
    main()
