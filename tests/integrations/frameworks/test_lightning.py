"""Lightning trains with the values of ``simulate``: as_torch_scheduler in ``configure_optimizers``."""

import csv
import inspect

import pytest
import torch
from frameworks import STEPS, Recorder, both, decays, make_optimizer, simulated
from torch.utils.data import DataLoader, TensorDataset

from lehr.handlers import CosineDecayScheduler, ReduceOnPlateauScheduler, ResumeWarning, as_torch_scheduler

pytest.importorskip("lightning")

import lightning as L  # noqa: N812 -- as its users write
from lightning.pytorch import callbacks, loggers, tuner

from lehr.handlers.integrations.lightning import SchedulerCallback

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
BATCHES = 6  # batches in an epoch
# Lightning has this argument from version 2.6 on.
WEIGHTS_ONLY = {"weights_only": True} if "weights_only" in inspect.signature(L.Trainer.fit).parameters else {}
LOSSES = [5.0, 4.0, 4.5, 4.2]  # the validation loss of each epoch


class Module(L.LightningModule):
    """A module with one layer, whose ``configure_optimizers`` returns ``make(optimizer)``."""

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
    """The same module, which logs a validation loss at the end of each epoch."""

    def validation_step(self, batch, batch_index):
        self.log("val_loss", LOSSES[self.current_epoch])


class ManualModule(Module):
    """The same module with manual optimization: each training step calls the optimizer's step."""

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
    """Return a function that makes trainers, which write only into the folder of the test."""

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
def test_a_resumed_run_has_the_values_of_the_unbroken_run(trainer, tmp_path, interval):
    unbroken = Module(adapted, interval=interval)
    trainer(max_epochs=2).fit(unbroken, data())
    module, first = Module(adapted, interval=interval), trainer(max_epochs=1)
    first.fit(module, data())
    first.save_checkpoint(tmp_path / "one.ckpt")
    resumed = Module(adapted, interval=interval)
    trainer(max_epochs=2).fit(resumed, data(), ckpt_path=tmp_path / "one.ckpt", **WEIGHTS_ONLY)
    assert module.seen + resumed.seen == unbroken.seen


def test_a_run_resumes_from_the_middle_of_an_epoch(trainer, tmp_path):
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
    with pytest.warns(UserWarning, match='set "reduce_on_plateau": True in Lightning'):
        trainer(max_epochs=2).fit(module, data(), data())
    assert set(module.seen.rates) == {0.1}


def test_manual_optimization(trainer):
    module = ManualModule(adapted)
    trainer(max_epochs=2).fit(module, data())
    assert module.seen == simulated()


def test_the_range_test_does_not_change_the_schedule(trainer):
    module = Module(adapted, interval="step")
    found = tuner.Tuner(trainer(max_epochs=10)).lr_find(module, data(), num_training=40, update_attr=True)
    suggested = found.suggestion()
    assert len(module.seen) == 40
    module.seen.clear()
    trainer(max_epochs=2).fit(module, data())
    assert module.lr == suggested != 0.1
    assert module.seen == simulated(lr=suggested)


def test_the_monitor_logs_the_values_of_training(trainer, tmp_path):
    module, logger = Module(adapted, interval="step"), loggers.CSVLogger(tmp_path)
    monitor = callbacks.LearningRateMonitor(logging_interval="step", log_momentum=True)
    trainer(max_epochs=2, logger=logger, log_every_n_steps=1, callbacks=[monitor]).fit(module, data())
    assert logged(logger) == module.seen == simulated()


def logged(logger):
    """Return the learning rates and momenta in a log."""
    with open(f"{logger.log_dir}/metrics.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["lr-SGD"]]
    return [(float(row["lr-SGD"]), float(row["lr-SGD-momentum"])) for row in rows]


def test_lightning_refuses_a_scheduler_that_is_not_wrapped(trainer):
    module = Module(lambda optimizer: CosineDecayScheduler(optimizer, "lr", duration=STEPS))
    with pytest.raises(L.fabric.utilities.exceptions.MisconfigurationException, match="CosineDecayScheduler"):
        trainer(max_epochs=1).fit(module, data())


# The callback, with which configure_optimizers returns only the optimizer.


@pytest.mark.parametrize("manual", [False, True])
def test_the_callback_trains_with_the_simulated_values(trainer, manual):
    module = (ManualModule if manual else Module)(None)
    callback = SchedulerCallback(both)
    trainer(max_epochs=2, callbacks=[callback]).fit(module, data())
    assert module.seen == simulated()
    rows = zip(*(callback.history.to_numpy(name)[:, 0].tolist() for name in ("lr", "momentum")), strict=True)
    assert list(rows) == simulated(steps=STEPS + 1)


def test_the_callback_counts_accumulated_batches_as_one_step(trainer):
    module = Module()
    trainer(max_epochs=4, accumulate_grad_batches=2, callbacks=[SchedulerCallback(both)]).fit(module, data())
    assert module.seen == simulated()


def test_the_callback_resumes_from_a_checkpoint(trainer, tmp_path):
    for steps in (4, 6):
        saver = callbacks.ModelCheckpoint(dirpath=tmp_path, every_n_train_steps=steps, save_top_k=-1, filename="{step}")
        module, first = Module(), SchedulerCallback(both)
        trainer(max_epochs=2, enable_checkpointing=True, callbacks=[saver, first]).fit(module, data())
        resumed, callback = Module(), SchedulerCallback(both)
        run = trainer(max_epochs=2, enable_checkpointing=True, callbacks=[callback, saver])
        run.fit(resumed, data(), ckpt_path=tmp_path / f"step={steps}.ckpt", **WEIGHTS_ONLY)
        assert module.seen == simulated()
        assert resumed.seen == module.seen[steps:]
        assert callback.history == first.history
        assert all(torch.equal(*pair) for pair in zip(module.parameters(), resumed.parameters(), strict=True))


def test_schedules_that_start_from_the_groups_resume_from_a_checkpoint(trainer, tmp_path):
    module, first = Module(), trainer(max_epochs=1, callbacks=[SchedulerCallback(decays)])
    first.fit(module, data())
    first.save_checkpoint(tmp_path / "one.ckpt")
    resumed = Module()
    trainer(max_epochs=2, callbacks=[SchedulerCallback(decays)]).fit(resumed, data(), ckpt_path=tmp_path / "one.ckpt")
    assert module.seen + resumed.seen == simulated(make=decays)


def test_the_callback_warns_of_a_checkpoint_without_its_state(trainer, tmp_path):
    first = trainer(max_epochs=1)
    first.fit(Module(), data())
    first.save_checkpoint(tmp_path / "one.ckpt")
    with pytest.warns(ResumeWarning, match="no state of SchedulerCallback, so the schedules start at event 0, but"):
        trainer(max_epochs=2, callbacks=[SchedulerCallback(both)]).fit(
            Module(), data(), ckpt_path=tmp_path / "one.ckpt"
        )


def plateau_alone(optimizer):
    return ReduceOnPlateauScheduler(optimizer, "lr", "val_loss", patience=0, factor=0.5)


@pytest.mark.parametrize("metric_event", ["validation", "epoch"])
def test_the_callback_reads_the_metric(trainer, tmp_path, metric_event):
    def run(epochs, **arguments):
        module, callback = ValidatedModule(), SchedulerCallback(plateau_alone, metric_event=metric_event)
        made = trainer(max_epochs=epochs, callbacks=[callback])
        made.fit(module, data(), data(), **arguments)
        return module.seen.rates, made

    rates, first = run(4)
    assert rates == [rate for rate in (0.1, 0.1, 0.1, 0.05) for _ in range(BATCHES)]
    seen, first = run(3)
    first.save_checkpoint(tmp_path / "three.ckpt")
    assert seen + run(4, ckpt_path=tmp_path / "three.ckpt")[0] == rates


def test_the_error_for_a_missing_metric_lists_the_metrics_that_exist(trainer):
    callback = SchedulerCallback(plateau_alone, metric_name="valid_loss")
    with pytest.raises(ValueError, match=r"metric_name must be one of \['loss', 'val_loss'\], given 'valid_loss'"):
        trainer(max_epochs=2, callbacks=[callback]).fit(ValidatedModule(), data(), data())


def test_the_range_test_comes_before_the_schedules_of_the_callback(trainer):
    module = Module()
    callback = SchedulerCallback(both)
    found = tuner.Tuner(trainer(max_epochs=10, callbacks=[callback])).lr_find(module, data(), num_training=40)
    assert len(set(module.seen.rates)) == 40  # no other code has overwritten the learning rates of the range test
    module.lr = found.suggestion()
    module.seen.clear()
    trainer(max_epochs=2, callbacks=[callback]).fit(module, data())
    assert module.seen == simulated(lr=module.lr)


@pytest.mark.parametrize("is_first", [False, True])
def test_the_range_test_as_a_callback_comes_before_the_schedules_too(trainer, is_first):
    finder = callbacks.LearningRateFinder(num_training_steps=40)
    both_callbacks = [finder, SchedulerCallback(both)]
    module = Module()
    trainer(max_epochs=10, callbacks=both_callbacks if is_first else both_callbacks[::-1]).fit(module, data())
    assert module.seen[40 : 40 + STEPS] == simulated(lr=module.lr)


@pytest.mark.parametrize("is_first", [False, True])
def test_the_monitor_logs_the_values_of_the_callback(trainer, tmp_path, is_first):
    module, logger = Module(), loggers.CSVLogger(tmp_path)
    monitor = callbacks.LearningRateMonitor(logging_interval="step", log_momentum=True)
    order = [monitor, SchedulerCallback(both)] if is_first else [SchedulerCallback(both), monitor]
    trainer(max_epochs=2, logger=logger, log_every_n_steps=1, callbacks=order).fit(module, data())
    assert logged(logger) == module.seen == simulated()


class TwoOptimizers(L.LightningModule):
    """A module that steps one optimizer twice as often as the other."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.layers, self.seen = (
            torch.nn.ModuleList([torch.nn.Linear(2, 1) for _ in range(2)]),
            [Recorder(), Recorder()],
        )

    def training_step(self, batch, batch_index):
        for optimizer, layer, times in zip(self.optimizers(), self.layers, (2, 1), strict=True):
            for _ in range(times):
                optimizer.zero_grad()
                self.manual_backward(layer(batch[0]).pow(2).mean())
                optimizer.step()

    def configure_optimizers(self):
        pairs = zip(self.seen, self.layers, strict=True)
        return [seen.watch(make_optimizer(layer.parameters())) for seen, layer in pairs]


def test_each_of_several_optimizers_has_its_own_schedule(trainer, tmp_path):
    module, callback = TwoOptimizers(), SchedulerCallback([both, both])
    run = trainer(max_epochs=1, callbacks=[callback])
    run.fit(module, data())
    run.save_checkpoint(tmp_path / "one.ckpt")
    assert module.seen == [simulated(), simulated()[:BATCHES]]
    assert [len(history["lr"]) for history in callback.histories] == [STEPS + 1, BATCHES + 1]
    module = TwoOptimizers()
    run = trainer(max_epochs=2, callbacks=[SchedulerCallback([None, both])])
    with pytest.raises(ValueError, match="must have states for 1 scheduled optimizers, given 2"):
        run.fit(module, data(), ckpt_path=tmp_path / "one.ckpt")
    module = TwoOptimizers()
    trainer(max_epochs=2, callbacks=[SchedulerCallback([both, both])]).fit(
        module, data(), ckpt_path=tmp_path / "one.ckpt"
    )
    assert module.seen[1] == simulated()[BATCHES:]


def test_the_callback_refuses_optimizers_that_it_cannot_schedule(trainer):
    other = make_optimizer([torch.nn.Parameter(torch.zeros(1))])
    for module, callback, rule in (
        (Module(adapted), SchedulerCallback(both), "configure_optimizers must return no scheduler for an"),
        (Module(), SchedulerCallback([both, both]), "make must have a function for each of 1 optimizers"),
        (Module(), SchedulerCallback(both, metric_name="loss"), "metric_name must be None if no metric drives"),
        (Module(), SchedulerCallback(lambda optimizer: both(other)), "given schedulers of another optimizer"),
    ):
        with pytest.raises(ValueError, match=rule):
            trainer(max_epochs=1, callbacks=[callback]).fit(module, data())
    with pytest.raises(TypeError, match="make must be a function or a list of functions, given 3"):
        SchedulerCallback(3)
    with pytest.raises(ValueError, match="metric_event must be one of"):
        SchedulerCallback(both, metric_event="never")
