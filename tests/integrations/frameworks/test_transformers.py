"""Hugging Face's Trainer trains with the values of ``simulate``: as_torch_scheduler in ``optimizers=``."""

import pytest
import torch
from frameworks import STEPS, Recorder, both, make_optimizer, simulated

from lehr.handlers import CosineDecayScheduler, as_torch_scheduler

transformers = pytest.importorskip("transformers")

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.filterwarnings("ignore:.*pin_memory:UserWarning"),
]
SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
BETA = torch.optim.AdamW


@pytest.fixture
def trainer(tmp_path):
    """Makes trainers of a model from a config; the last argument of each step is what it saw."""

    def make(make_scheduler=None, seen=None, callbacks=None, **arguments):
        torch.manual_seed(0)
        config = transformers.BertConfig(vocab_size=20, num_labels=2, **SIZES)
        model = transformers.BertForSequenceClassification(config)
        optimizer = seen.watch(make_optimizer(model.parameters(), BETA))
        arguments = {"num_train_epochs": 1, "save_strategy": "no", "logging_steps": 1, **arguments}
        return transformers.Trainer(
            model,
            transformers.TrainingArguments(
                str(tmp_path),
                per_device_train_batch_size=2,
                report_to=[],
                disable_tqdm=True,
                use_cpu=True,
                dataloader_pin_memory=False,
                learning_rate=0.1,
                **arguments,
            ),
            train_dataset=data(),
            eval_dataset=data()[:2],
            optimizers=(optimizer, make_scheduler and make_scheduler(optimizer)),
            callbacks=callbacks,
        )

    return make


def data():
    return [{"input_ids": torch.arange(at, at + 5) % 20, "labels": at % 2} for at in range(2 * STEPS)]


def adapted(optimizer):
    return as_torch_scheduler(both(optimizer))


def logged(trainer):
    return [row["learning_rate"] for row in trainer.state.log_history if "learning_rate" in row]


def test_each_step_trains_with_the_simulated_values_and_logs_them(trainer):
    seen = Recorder()
    run = trainer(adapted, seen)
    run.train()
    assert seen == simulated(BETA)
    assert logged(run) == seen.rates


def test_accumulated_batches_are_one_step(trainer):
    seen = Recorder()
    trainer(adapted, seen, gradient_accumulation_steps=2, num_train_epochs=2).train()
    assert seen == simulated(BETA)


@pytest.mark.parametrize("stop", [5, 6])
def test_a_run_goes_on_from_a_checkpoint_as_the_unbroken_one(trainer, tmp_path, stop):
    seen, resumed = Recorder(), Recorder()
    first = trainer(adapted, seen, save_strategy="steps", save_steps=stop)
    first.train()
    run = trainer(adapted, resumed)
    run.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{stop}"))
    assert seen == simulated(BETA)
    assert resumed == seen[stop:]
    assert logged(run) == logged(first)
    weights = [list(one.model.parameters()) for one in (first, run)]
    assert all(torch.equal(*pair) for pair in zip(*weights, strict=True))


def test_our_own_schedulers_are_refused_as_they_are(trainer):
    run = trainer(lambda optimizer: CosineDecayScheduler(optimizer, "lr", duration=STEPS), Recorder())
    with pytest.raises(AttributeError, match=r"has no '\w+'.* give as_torch_scheduler\(scheduler\)"):
        run.train()
