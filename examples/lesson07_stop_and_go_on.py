"""Lesson 7: stop a run, and go on as if nothing had happened. ``python examples/lesson07_stop_and_go_on.py``.

It takes about ten seconds. One run trains for six epochs without a stop. Another one breaks off in the middle of
epoch 5, as in a power cut. A third one starts anew, loads the last checkpoint, and trains the rest. Its learning rates
and the weights of its network are those of the first run, bit for bit. A last one forgets to load the scheduler: a
warning says so when the run begins.

The picture, ``runs/stop_and_go_on/resumed.png``, shows the learning rates of all four.
"""

import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from digits import STEPS_PER_EPOCH, accuracy_of, make_loader, make_network, make_optimizer, make_trainer, save
from ignite.engine import Events
from ignite.handlers import Checkpoint, DiskSaver
from matplotlib import pyplot as plt

from lehr.engine import ParamHistory
from lehr.handlers import OneCycleScheduler, ResumeWarning

EPOCHS, BREAK = 6, 4 * STEPS_PER_EPOCH + 10  # the power fails at this iteration
FOLDER = Path("runs/stop_and_go_on")
Run = dict[str, Any]


def prepare() -> Run:
    """All that a run consists of, and that its checkpoint contains."""
    torch.manual_seed(0)
    network = make_network()
    optimizer = make_optimizer(network)
    trainer = make_trainer(network, optimizer)
    lr = OneCycleScheduler(optimizer, "lr", max_value=0.1, total_steps=EPOCHS * STEPS_PER_EPOCH, save_history=True)
    lr.attach(trainer)
    trainer.state.param_history = history = ParamHistory()
    # The order of the data is part of a run, too. With a seed for each epoch, it does not depend on the epochs before.
    trainer.add_event_handler(Events.EPOCH_STARTED, lambda: torch.manual_seed(trainer.state.epoch))
    return {"network": network, "optimizer": optimizer, "trainer": trainer, "lr": lr, "history": history}


def save_each_epoch(run: Run, folder: Path) -> None:
    """Save a checkpoint of everything after each epoch; attached last, after the schedulers."""
    saver = Checkpoint(run, DiskSaver(str(folder)), n_saved=1)
    run["trainer"].add_event_handler(Events.EPOCH_COMPLETED, saver)


class PowerCutError(Exception):
    """What breaks a run off here."""


def fail() -> None:
    """Break a run off."""
    raise PowerCutError


def load(run: Run, checkpoint: dict[str, Any], forget: str = "") -> None:
    """Load everything, or forget one thing."""
    names = [name for name in run if name != forget]
    Checkpoint.load_objects({name: run[name] for name in names}, {name: checkpoint[name] for name in names})


def main() -> None:
    """Train without a stop, with one, and with a mistake; compare."""
    unbroken = prepare()
    unbroken["trainer"].run(make_loader(), max_epochs=EPOCHS)

    shutil.rmtree(FOLDER, ignore_errors=True)
    broken = prepare()
    save_each_epoch(broken, FOLDER)
    broken["trainer"].add_event_handler(Events.ITERATION_COMPLETED(once=BREAK), fail)
    try:
        broken["trainer"].run(make_loader(), max_epochs=EPOCHS)
    except PowerCutError:
        print(f"the run broke off at iteration {broken['trainer'].state.iteration}")

    (path,) = FOLDER.glob("checkpoint_*.pt")
    checkpoint = torch.load(path, weights_only=True)  # plain data, with the state of the scheduler
    resumed = prepare()
    load(resumed, checkpoint)
    print(f"{path.name} is loaded: the scheduler goes on with event {resumed['lr'].event_index}")
    resumed["trainer"].run(make_loader(), max_epochs=EPOCHS)

    assert resumed["history"] == unbroken["history"]
    print("the learning rates are those of the run without a stop, bit for bit")
    pairs = zip(resumed["network"].state_dict().values(), unbroken["network"].state_dict().values(), strict=True)
    assert all(torch.equal(one, another) for one, another in pairs)
    print("so are the weights")

    forgetful = prepare()
    load(forgetful, checkpoint, forget="lr")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ResumeWarning)
        forgetful["trainer"].run(make_loader(), max_epochs=EPOCHS)
    (warning,) = (one for one in caught if one.category is ResumeWarning)
    print(f"without the scheduler's state: {warning.message}")

    runs = {"without a stop": unbroken, "broken off": broken, "resumed": resumed, "scheduler forgotten": forgetful}
    figure, panels = plt.subplots(4, 1, sharex=True, sharey=True, figsize=(8, 7), layout="constrained")
    for (name, run), axes in zip(runs.items(), panels, strict=True):
        values = run["history"].to_numpy("lr")[:, 0]
        kept = checkpoint["trainer"]["iteration"] if run in (resumed, forgetful) else 0
        axes.plot(range(kept), values[:kept], color="0.7", label="from the checkpoint")
        axes.plot(range(kept, len(values)), values[kept:], color="#0072b2", label="trained in this process")
        axes.set(title=f"{name}: test accuracy {accuracy_of(run['network']):.4f}", ylabel="lr")
    panels[2].legend(loc="upper right")
    panels[-1].set_xlabel("iteration")
    save(figure, FOLDER / "resumed.png")
    plt.close(figure)


if __name__ == "__main__":
    main()
