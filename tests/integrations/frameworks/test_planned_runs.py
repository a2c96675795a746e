"""A run of Lightning or Hugging Face trains with the plan that ``run_length`` of its arguments gives."""

import pytest
import torch
from frameworks import Recorder, both, make_optimizer
from ignite.engine import Events
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from lehr.handlers import ConcatScheduler, CosineDecayScheduler, ParamScheduler, as_torch_scheduler, check_plan, dry_run
from lehr.handlers.schedules import Constant

pytest.importorskip("lightning")
pytest.importorskip("transformers")

import lightning as L  # noqa: N812 -- as its users write
import transformers
from lightning.pytorch.callbacks import GradientAccumulationScheduler

from lehr.handlers.integrations.lightning import SchedulerCallback as LightningCallback
from lehr.handlers.integrations.lightning import run_length as length_of_lightning
from lehr.handlers.integrations.transformers import SchedulerCallback as TransformersCallback
from lehr.handlers.integrations.transformers import run_length as length_of_transformers

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.filterwarnings(
        "ignore:.*does not have many workers:UserWarning",
        "ignore:.*number of training batches:UserWarning",
        "ignore:.*pin_memory:UserWarning",
        "ignore:.*`isinstance\\(treespec, LeafSpec\\)`:FutureWarning",
        "ignore:.*max_epochs. was not set:UserWarning",
    ),
]
SAMPLES = 23


def planned(run, by_event=None):
    """Return the planned learning rate and momentum of each step."""
    schedulers = both(make_optimizer([torch.nn.Parameter(torch.zeros(1))]))
    plan = dry_run({by_event: schedulers} if by_event else schedulers, **run)
    return list(zip(*(plan[name][:, 0].tolist() for name in ("lr", "momentum")), strict=True))


class Module(L.LightningModule):
    """A module with one layer, which stores the length of the run in ``configure_optimizers``."""

    def __init__(self, interval):
        super().__init__()
        self.layer, self.seen, self.interval, self.run = torch.nn.Linear(2, 1), Recorder(), interval, None

    def training_step(self, batch, batch_index):
        return self.layer(batch[0]).pow(2).mean()

    def configure_optimizers(self):
        optimizer = self.seen.watch(make_optimizer(self.parameters()))
        self.run = length_of_lightning(self.trainer)
        if self.interval is None:
            return optimizer
        entry = {"scheduler": as_torch_scheduler(both(optimizer)), "interval": self.interval}
        return {"optimizer": optimizer, "lr_scheduler": entry}


def lightning_trainer(tmp_path, **arguments):
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False)
    return L.Trainer(accelerator="cpu", default_root_dir=tmp_path, **{**quiet, **arguments})


def loader(drop_last=False):
    return DataLoader(TensorDataset(torch.ones(SAMPLES, 2)), batch_size=3, drop_last=drop_last)


RUNS_OF_LIGHTNING = {
    "epochs": {"max_epochs": 2},
    "accumulation": {"max_epochs": 3, "accumulate_grad_batches": 3},
    "max_steps": {"max_steps": 11, "accumulate_grad_batches": 3, "max_epochs": -1},
    "max_steps before max_epochs": {"max_steps": 7, "max_epochs": 3, "accumulate_grad_batches": 3},
    "max_epochs before max_steps": {"max_steps": 100, "max_epochs": 2},
    "some batches": {"max_epochs": 2, "limit_train_batches": 5, "accumulate_grad_batches": 2},
    "a share of the batches": {"max_epochs": 2, "limit_train_batches": 0.6, "accumulate_grad_batches": 2},
    "overfit": {"max_epochs": 2, "overfit_batches": 3},
    "a test run": {"fast_dev_run": 2},
}


@pytest.mark.parametrize("interval", ["step", "epoch", None])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("name", RUNS_OF_LIGHTNING)
def test_a_planned_run_of_lightning(tmp_path, name, drop_last, interval):
    callback = LightningCallback(both)
    callbacks = [callback] if interval is None else []
    trainer = lightning_trainer(tmp_path, callbacks=callbacks, **RUNS_OF_LIGHTNING[name])
    run, module = length_of_lightning(trainer, len(loader(drop_last))), Module(interval)
    trainer.fit(module, loader(drop_last))
    assert module.run == run
    assert module.seen == planned(run, Events.EPOCH_STARTED if interval == "epoch" else None)
    assert len(module.seen) == trainer.global_step


class Stream(IterableDataset):
    """A data set without a length."""

    def __iter__(self):
        return iter(torch.ones(100, 2))


class StreamModule(Module):
    """The same module for a data set without a length."""

    def training_step(self, batch, batch_index):
        return self.layer(batch).pow(2).mean()


def test_a_planned_run_of_lightning_over_data_without_a_length(tmp_path):
    module = StreamModule("step")
    lightning_trainer(tmp_path, max_steps=7, accumulate_grad_batches=2).fit(module, DataLoader(Stream(), batch_size=4))
    assert module.run == {"max_epochs": 1, "epoch_length": 7, "max_iters": None}
    assert module.seen == planned(module.run)


def test_a_length_that_lightning_does_not_know_is_refused(tmp_path):
    endless = lightning_trainer(tmp_path, max_epochs=-1)
    with pytest.raises(
        ValueError, match="at least one step, given 8 batches an epoch, max_epochs=None and max_steps=None"
    ):
        length_of_lightning(endless, 8)
    with pytest.raises(ValueError, match="num_batches must be a number before a run"):
        length_of_lightning(endless)
    with pytest.raises(ValueError, match="num_batches must be a whole number of at least 1, given 0"):
        length_of_lightning(endless, 0)
    uneven = lightning_trainer(tmp_path, max_epochs=3, callbacks=[GradientAccumulationScheduler({0: 1, 2: 4})])
    with pytest.raises(ValueError, match="the same number of steps in each epoch"):
        length_of_lightning(uneven, 8)


SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
RUNS_OF_TRANSFORMERS = {
    "epochs": {"num_train_epochs": 2},
    "a part of an epoch": {"num_train_epochs": 1.3},
    "accumulation": {"num_train_epochs": 3, "gradient_accumulation_steps": 3},
    "max_steps": {"max_steps": 11, "gradient_accumulation_steps": 3},
    "drop_last": {"num_train_epochs": 2, "dataloader_drop_last": True, "gradient_accumulation_steps": 2},
    "warm-up of its own": {"num_train_epochs": 1, "gradient_accumulation_steps": 20},
}


def transformers_trainer(tmp_path, seen, arguments, callback=None):
    config = transformers.BertConfig(vocab_size=20, num_labels=2, **SIZES)
    model = transformers.BertForSequenceClassification(config)
    optimizer = seen.watch(make_optimizer(model.parameters()))
    data = [{"input_ids": torch.arange(at, at + 5) % 20, "labels": at % 2} for at in range(SAMPLES)]
    own = None if callback else as_torch_scheduler(both(optimizer))
    return transformers.Trainer(
        model, arguments, train_dataset=data, optimizers=(optimizer, own), callbacks=[callback] if callback else None
    )


def arguments_of(tmp_path, **arguments):
    quiet = {"report_to": [], "disable_tqdm": True, "use_cpu": True, "dataloader_pin_memory": False}
    sizes = {"per_device_train_batch_size": 3, "save_strategy": "no"}
    return transformers.TrainingArguments(str(tmp_path), **{**quiet, **sizes, **arguments})


@pytest.mark.parametrize("as_callback", [False, True])
@pytest.mark.parametrize("name", RUNS_OF_TRANSFORMERS)
def test_a_planned_run_of_transformers(tmp_path, name, as_callback):
    arguments, seen = arguments_of(tmp_path, **RUNS_OF_TRANSFORMERS[name]), Recorder()
    run = length_of_transformers(arguments, SAMPLES)
    trainer = transformers_trainer(tmp_path, seen, arguments, TransformersCallback(both) if as_callback else None)
    trainer.train()
    assert seen == planned(run)
    assert len(seen) == trainer.state.global_step


def test_a_planned_run_of_transformers_over_data_without_a_length(tmp_path):
    arguments = arguments_of(tmp_path, max_steps=7, gradient_accumulation_steps=2)
    assert length_of_transformers(arguments) == {"max_epochs": 1, "epoch_length": 7, "max_iters": None}
    with pytest.raises(ValueError, match="at least one step"):
        length_of_transformers(arguments_of(tmp_path))


# Warnings of check_plan about the length of the run, when it starts.


def twice_as_long(optimizer):
    return CosineDecayScheduler(optimizer, "lr", duration=32)


def as_long(optimizer):
    hold = ParamScheduler(optimizer, "lr", schedule=Constant(0.1))
    return ConcatScheduler([hold, CosineDecayScheduler(optimizer, "lr", duration=8)], [8])


def trained(tmp_path, framework, make):
    """Train for 16 steps with a callback that checks the length."""
    if framework == "lightning":
        callback = LightningCallback(make, check_length=True)
        lightning_trainer(tmp_path, max_epochs=2, callbacks=[callback]).fit(Module(None), loader())
    else:
        arguments = arguments_of(tmp_path, num_train_epochs=2)
        transformers_trainer(tmp_path, Recorder(), arguments, TransformersCallback(make, check_length=True)).train()


@pytest.mark.parametrize("framework", ["lightning", "transformers"])
def test_a_callback_warns_of_a_schedule_that_is_longer_than_the_run(tmp_path, framework):
    with pytest.warns(
        UserWarning, match=r"end-not-reached: 'lr'.*(?s:.)*takes 32 events, but the run has 16 of them, 50%"
    ):
        trained(tmp_path, framework, twice_as_long)
    trained(tmp_path, framework, as_long)  # a warning would raise an error


def test_a_callback_cannot_check_the_length_of_manual_optimization(tmp_path):
    module = Module(None)
    module.automatic_optimization = False
    callback = LightningCallback(as_long, check_length=True)
    with pytest.raises(ValueError, match="check_length must be False with manual optimization"):
        lightning_trainer(tmp_path, max_epochs=1, callbacks=[callback]).fit(module, loader())


def test_check_plan_has_the_same_finding_before_the_run(tmp_path):
    schedulers = twice_as_long(make_optimizer([torch.nn.Parameter(torch.zeros(1))]))
    runs = [
        length_of_lightning(lightning_trainer(tmp_path, max_epochs=2), len(loader())),
        length_of_transformers(arguments_of(tmp_path, num_train_epochs=2), SAMPLES),
    ]
    for run in runs:
        assert [finding.code for finding in check_plan(schedulers, **run)] == ["end-not-reached"]
