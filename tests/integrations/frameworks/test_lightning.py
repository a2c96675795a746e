"""Lightning trains with the values of ``simulate``: as_torch_scheduler in ``configure_optimizers``."""

import csv

import pytest
import torch
from frameworks import STEPS, Recorder, both, make_optimizer, simulated
from torch.utils.data import DataLoader, TensorDataset

from lehr.handlers import CosineDecayScheduler, ReduceOnPlateauScheduler, as_torch_scheduler

L = pytest.importorskip("lightning")
callbacks = pytest.importorskip("lightning.pytorch.callbacks")
loggers = pytest.importorskip("lightning.pytorch.loggers")
tuner = pytest.importorskip("lightning.pytorch.tuner")

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.filterwarnings(
        "ignore:.*does not have many workers:UserWarning",
        "ignore:.*number of training batches:UserWarning",
        "ignore:.*your dataloader is not resumable:UserWarning",
        "ignore:Checkpoint directory .* exists and is not empty:UserWarning",
        "ignore:.*`isinstance\\(treespec, LeafSpec\\)`:FutureWarning",
    ),
]
BATCHES = 6  # of an epoch
LOSSES = [5.0, 4.0, 4.5, 4.2]  # of validation, epoch by epoch


class Module(L.LightningModule):
    """One layer, trained with what ``make`` makes of the optimizer."""

    def __init__(self, make=None, **entry):
        super().__init__()
        self.layer, self.seen = torch.nn.Linear(2, 1), Recorder()
        self.make, self.entry, self.lr = make, entry, 0.1

    def training_step(self, batch, batch_index):
        loss = self.layer(batch[0]).pow(2).mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        optimizer = self.seen.watch(make_optimizer(self.parameters(), lr=self.lr))
        if self.make is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self.make(optimizer), **self.entry}}


class ValidatedModule(Module):
    """The same, with a loss of validation at the end of each epoch."""

    def validation_step(self, batch, batch_index):
        self.log("val_loss", LOSSES[self.current_epoch])


class ManualModule(Module):
    """The same, and each training step takes the optimizer's step itself."""

    def __init__(self, make):
        super().__init__(make)
        self.automatic_optimization = False

    def training_step(self, batch, batch_index):
        optimizer = self.optimizers()
        optimizer.zero_grad()
        self.manual_backward(self.layer(batch[0]).pow(2).mean())
        optimizer.step()
        if self.make is not None:
            self.lr_schedulers().step()


def adapted(optimizer):
    return as_torch_scheduler(both(optimizer))


def data():
    return DataLoader(TensorDataset(torch.ones(2 * BATCHES, 2)), batch_size=2)


@pytest.fixture
def trainer(tmp_path):
    """Makes trainers that write nothing outside of the test's folder."""

    def make(**arguments):
        quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False)
        return L.Trainer(accelerator="cpu", default_root_dir=tmp_path, **{**quiet, **arguments})

    return make


def test_each_step_trains_with_the_simulated_values(trainer):
    module = Module(adapted, interval="step")
    trainer(max_epochs=2).fit(module, data())
    assert module.seen == simulated()


def test_one_event_for_each_epoch(trainer):
    module = Module(adapted, interval="epoch")
    trainer(max_epochs=4).fit(module, data())
    assert module.seen == [pair for pair in simulated(steps=4) for _ in range(BATCHES)]


def test_accumulated_batches_are_one_step(trainer):
    module = Module(adapted, interval="step")
    trainer(max_epochs=4, accumulate_grad_batches=2).fit(module, data())
    assert module.seen == simulated()


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_resumed_run_goes_on_as_the_unbroken_one(trainer, tmp_path, interval):
    unbroken = Module(adapted, interval=interval)
    trainer(max_epochs=2).fit(unbroken, data())
    module, first = Module(adapted, interval=interval), trainer(max_epochs=1)
    first.fit(module, data())
    first.save_checkpoint(tmp_path / "one.ckpt")
    resumed = Module(adapted, interval=interval)
    trainer(max_epochs=2).fit(resumed, data(), ckpt_path=tmp_path / "one.ckpt", weights_only=True)
    assert module.seen + resumed.seen == unbroken.seen


def test_a_run_goes_on_from_the_middle_of_an_epoch(trainer, tmp_path):
    saver = callbacks.ModelCheckpoint(
        dirpath=tmp_path / "saved", every_n_train_steps=4, save_top_k=-1, filename="{step}"
    )
    module = Module(adapted, interval="step")
    trainer(max_epochs=2, enable_checkpointing=True, callbacks=[saver]).fit(module, data())
    resumed = Module(adapted, interval="step")
    run = trainer(max_epochs=2, enable_checkpointing=True, callbacks=[saver])
    run.fit(resumed, data(), ckpt_path=tmp_path / "saved" / "step=4.ckpt")
    assert resumed.seen == module.seen[4:] == simulated()[4:]


def plateau(optimizer):
    return as_torch_scheduler(ReduceOnPlateauScheduler(optimizer, "lr", "val_loss", patience=0, factor=0.5))


PLATEAU = {"interval": "epoch", "monitor": "val_loss"}


def test_a_plateau_gets_the_metric_that_is_monitored(trainer):
    module, optimizer = ValidatedModule(plateau, reduce_on_plateau=True, **PLATEAU), make_optimizer([torch.zeros(1)])
    trainer(max_epochs=4).fit(module, data(), data())
    scheduler = ReduceOnPlateauScheduler(optimizer, "lr", "val_loss", patience=0, factor=0.5)
    expected = []
    for loss in LOSSES:
        scheduler.apply()
        expected += [optimizer.param_groups[0]["lr"]] * BATCHES
        scheduler.observe(loss)
    assert module.seen.rates == expected
    assert expected[-1] == 0.05


def test_a_resumed_plateau_remembers_its_metrics(trainer, tmp_path):
    whole = ValidatedModule(plateau, reduce_on_plateau=True, **PLATEAU)
    trainer(max_epochs=4).fit(whole, data(), data())
    first = trainer(max_epochs=2)
    first.fit(ValidatedModule(plateau, reduce_on_plateau=True, **PLATEAU), data(), data())
    first.save_checkpoint(tmp_path / "two.ckpt")
    resumed = ValidatedModule(plateau, reduce_on_plateau=True, **PLATEAU)
    trainer(max_epochs=4).fit(resumed, data(), data(), ckpt_path=tmp_path / "two.ckpt")
    assert resumed.seen == whole.seen[2 * BATCHES :]


def test_a_plateau_that_gets_no_metric_says_what_to_set(trainer):
    module = ValidatedModule(plateau, **PLATEAU)
    with pytest.warns(UserWarning, match='in Lightning, set "reduce_on_plateau": True'):
        trainer(max_epochs=2).fit(module, data(), data())
    assert set(module.seen.rates) == {0.1}


def test_manual_optimization(trainer):
    module = ManualModule(adapted)
    trainer(max_epochs=2).fit(module, data())
    assert module.seen == simulated()


def test_the_range_test_leaves_the_schedule_as_it_was(trainer):
    module = Module(adapted, interval="step")
    found = tuner.Tuner(trainer(max_epochs=10)).lr_find(module, data(), num_training=40, update_attr=True)
    suggested = found.suggestion()
    assert len(module.seen) == 40
    module.seen.clear()
    trainer(max_epochs=2).fit(module, data())
    assert module.lr == suggested != 0.1
    assert module.seen == simulated(lr=suggested)


def test_the_monitor_logs_what_was_trained(trainer, tmp_path):
    module, logger = Module(adapted, interval="step"), loggers.CSVLogger(tmp_path)
    monitor = callbacks.LearningRateMonitor(logging_interval="step", log_momentum=True)
    trainer(max_epochs=2, logger=logger, log_every_n_steps=1, callbacks=[monitor]).fit(module, data())
    assert logged(logger) == module.seen == simulated()


def logged(logger):
    """The learning rates and momentums of a log."""
    with open(f"{logger.log_dir}/metrics.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["lr-SGD"]]
    return [(float(row["lr-SGD"]), float(row["lr-SGD-momentum"])) for row in rows]


def test_our_own_schedulers_are_refused_as_they_are(trainer):
    module = Module(lambda optimizer: CosineDecayScheduler(optimizer, "lr", duration=STEPS))
    with pytest.raises(L.fabric.utilities.exceptions.MisconfigurationException, match="CosineDecayScheduler"):
        trainer(max_epochs=1).fit(module, data())
