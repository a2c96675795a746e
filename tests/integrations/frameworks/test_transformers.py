"""Hugging Face's Trainer trains with the values of ``simulate``: as_torch_scheduler in ``optimizers=``."""

import json

import pytest
import torch
from frameworks import STEPS, Recorder, both, decays, make_optimizer, simulated

from lehr.handlers import (
    CosineDecayScheduler,
    ReduceOnPlateauScheduler,
    ResumeWarning,
    as_torch_scheduler,
    configure_scheduler,
)

pytest.importorskip("transformers")

import transformers

from lehr.handlers.integrations.transformers import SchedulerCallback

pytestmark = [
    pytest.mark.integrations,
    pytest.mark.filterwarnings("ignore:.*pin_memory:UserWarning"),
]
SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
BETA = torch.optim.AdamW


@pytest.fixture
def trainer(tmp_path):
    """Return a function that makes trainers of a small model; ``seen`` records the values at each step."""

    def make(make_scheduler, seen, callback=None, losses=(), **arguments):
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
            callbacks=[callback] if callback else None,
            compute_metrics=(lambda predictions: {"loss_by_hand": losses.pop(0)}) if losses else None,
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


@pytest.mark.parametrize(
    "arguments",
    [
        {"lr_scheduler_type": "cosine", "warmup_steps": 0.25, "num_train_epochs": 2.5},
        {
            "lr_scheduler_type": "warmup_stable_decay",
            "warmup_steps": 3,
            "max_steps": STEPS,
            "lr_scheduler_kwargs": {"num_decay_steps": 4},
        },
        {"num_train_epochs": 2},
    ],
)
def test_a_config_of_the_trainer_trains_as_the_trainer_does(trainer, arguments):
    seen = Recorder()
    run = trainer(None, seen, **arguments)
    run.train()
    config, optimizer = (
        json.loads(run.args.to_json_string()),
        make_optimizer([torch.nn.Parameter(torch.zeros(1))], BETA),
    )
    scheduler = configure_scheduler(optimizer, config, epoch_length=STEPS)
    rates = logged(run)
    assert len(rates) >= STEPS
    expected = scheduler.simulate(len(rates))[:, 0].tolist()
    assert rates == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_accumulated_batches_are_one_step(trainer):
    seen = Recorder()
    trainer(adapted, seen, gradient_accumulation_steps=2, num_train_epochs=2).train()
    assert seen == simulated(BETA)


@pytest.mark.parametrize("stop", [5, 6])
def test_a_run_that_resumes_from_a_checkpoint_has_the_values_of_the_unbroken_run(trainer, tmp_path, stop):
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


def test_the_trainer_refuses_a_scheduler_that_is_not_wrapped(trainer):
    run = trainer(lambda optimizer: CosineDecayScheduler(optimizer, "lr", duration=STEPS), Recorder())
    with pytest.raises(AttributeError, match=r"has no '\w+'.* give the trainer as_torch_scheduler\(scheduler\)"):
        run.train()


# The callback, with which the Trainer gets neither a scheduler nor a schedule.


class Logger(transformers.TrainerCallback):
    """A callback that records the learning rates in the Trainer's logs."""

    def __init__(self):
        self.rates = []

    def on_log(self, args, state, control, logs, **parts):
        self.rates += [logs["learning_rate"]] if "learning_rate" in logs else []


def test_the_callback_trains_with_the_simulated_values_and_logs_them(trainer):
    seen, callback, logger = Recorder(), SchedulerCallback(both), Logger()
    run = trainer(None, seen, callback)
    run.callback_handler.callbacks.insert(0, logger)
    run.train()
    assert seen == simulated(BETA)
    assert logged(run) == logger.rates == seen.rates
    rows = zip(*(callback.history.to_numpy(name)[:, 0].tolist() for name in ("lr", "betas[0]")), strict=True)
    assert list(rows) == simulated(BETA, steps=STEPS + 1)


def test_the_callback_schedules_the_optimizer_that_the_trainer_makes(trainer):
    callback = SchedulerCallback(lambda optimizer: CosineDecayScheduler(optimizer, "lr", duration=STEPS))
    run = trainer(None, Recorder(), callback)
    run.optimizer = None
    run.train()
    assert callback.history.to_numpy("lr")[:STEPS, 0].tolist() == [lr for lr, _ in simulated(BETA)] == logged(run)


def test_the_callback_counts_accumulated_batches_as_one_step(trainer):
    seen = Recorder()
    trainer(None, seen, SchedulerCallback(both), gradient_accumulation_steps=2, num_train_epochs=2).train()
    assert seen == simulated(BETA)


@pytest.mark.parametrize("stop", [5, 6])
def test_the_callback_resumes_from_a_checkpoint(trainer, tmp_path, stop):
    seen, resumed, before, after = Recorder(), Recorder(), SchedulerCallback(both), SchedulerCallback(both)
    first = trainer(None, seen, before, save_strategy="steps", save_steps=stop)
    first.train()
    folder = tmp_path / f"checkpoint-{stop}"
    run = trainer(None, resumed, after)
    run.train(resume_from_checkpoint=str(folder))
    assert seen == simulated(BETA)
    assert resumed == seen[stop:]
    assert logged(run) == logged(first)
    assert {name: list(column) for name, column in after.history.items()} == {
        name: list(column) for name, column in before.history.items()
    }
    weights = [list(one.model.parameters()) for one in (first, run)]
    assert all(torch.equal(*pair) for pair in zip(*weights, strict=True))
    # The state of the Trainer's own scheduler is the same as in a run without the callback.
    assert torch.load(folder / "scheduler.pt", weights_only=True)["last_epoch"] == stop
    again = Recorder()
    trainer(None, again).train(resume_from_checkpoint=str(folder))
    assert again.rates[1:] == pytest.approx([0.1 * (STEPS - step) / STEPS for step in range(stop + 1, STEPS)])


def test_a_second_run_of_a_trainer_starts_from_event_0(trainer):
    seen = Recorder()
    run = trainer(None, seen, SchedulerCallback(decays))
    run.train()
    run.train()
    assert seen == simulated(BETA, make=decays) * 2


def test_schedules_that_start_from_the_groups_resume_from_a_checkpoint(trainer, tmp_path):
    seen, resumed = Recorder(), Recorder()
    trainer(None, seen, SchedulerCallback(decays), save_strategy="steps", save_steps=5).train()
    trainer(None, resumed, SchedulerCallback(decays)).train(resume_from_checkpoint=str(tmp_path / "checkpoint-5"))
    assert seen == simulated(BETA, make=decays)
    assert resumed == seen[5:]


def test_the_callback_warns_of_a_checkpoint_without_its_state(trainer, tmp_path):
    trainer(None, Recorder(), save_strategy="steps", save_steps=6).train()
    with pytest.warns(ResumeWarning, match="no state of SchedulerCallback, so the schedules start at event 0, but"):
        trainer(None, Recorder(), SchedulerCallback(both)).train(resume_from_checkpoint=str(tmp_path / "checkpoint-6"))


def plateau(optimizer):
    return ReduceOnPlateauScheduler(optimizer, "lr", "eval_loss_by_hand", patience=0, factor=0.5)


def test_the_callback_reads_the_metric(trainer, tmp_path):
    def run(losses, **arguments):
        seen = Recorder()
        every = {"eval_strategy": "steps", "eval_steps": 3, "save_strategy": "steps", "save_steps": 9}
        made = trainer(None, seen, SchedulerCallback(plateau), losses, **every, eval_on_start=True)
        made.train(**arguments)
        return seen.rates

    rates = run([9.0, 5.0, 4.0, 4.5, 4.2])
    assert rates == [rate for rate in (0.1, 0.1, 0.1, 0.05) for _ in range(3)]
    assert run([9.0, 4.2], resume_from_checkpoint=str(tmp_path / "checkpoint-9")) == rates[9:]


def test_the_error_for_a_missing_metric_lists_the_metrics_that_exist(trainer):
    callback = SchedulerCallback(plateau, metric_name="loss_by_hand")
    run = trainer(None, Recorder(), callback, [1.0], eval_strategy="steps", eval_steps=3)
    with pytest.raises(
        ValueError, match=r"metric_name must be one of .*'eval_loss', 'eval_loss_by_hand', .*given 'loss_by_hand'"
    ):
        run.train()


def test_the_callback_refuses_another_schedule(trainer):
    for arguments, rule in (
        ({"lr_scheduler_type": "cosine"}, "lr_scheduler_type must be left out.* given 'cosine'"),
        ({"warmup_steps": 3}, "warmup_steps must be 0"),
        ({"restore_callback_states_from_checkpoint": True}, "restore_callback_states_from_checkpoint must be False"),
        ({"make_scheduler": adapted}, "optimizers must have None as scheduler"),
    ):
        with pytest.raises(ValueError, match=rule):
            trainer(**{"make_scheduler": None, "seen": Recorder(), "callback": SchedulerCallback(both), **arguments})
    with pytest.raises(TypeError, match="make must be a function of an optimizer, given 3"):
        SchedulerCallback(3)
    late = trainer(None, Recorder(), lr_scheduler_type="cosine")
    late.add_callback(SchedulerCallback(both))
    with pytest.raises(ValueError, match="lr_scheduler_type must be left out"):
        late.train()
