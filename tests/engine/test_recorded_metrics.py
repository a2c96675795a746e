"""Tests of a metric in a history: its index after thinning, saving, resuming and in a second run."""

import csv
import json
import math

import numpy as np
import pytest
import torch
from cases import for_each
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver
from optimizers import make_optimizer, make_trainer

from lehr.engine import ParamHistory
from lehr.handlers import CosineAnnealingScheduler, check_plan


def loss_of(iteration):
    """Return a different loss for each iteration."""
    return 3.0 + 1.0 / iteration


def make(history, max_events=None, **options):
    trainer = Engine(lambda engine, batch: loss_of(engine.state.iteration))
    history.record("loss", trainer, **options)
    return trainer


def losses(count, first=1):
    return [loss_of(iteration) for iteration in range(first, first + count)]


@for_each("count", [1, 2, 100])
def test_each_iteration_has_its_index(count):
    history = ParamHistory()
    make(history).run([0] * count, max_epochs=3)
    assert history["loss"] == losses(3 * count)
    assert history["loss"].event_indices.tolist() == list(range(3 * count))


@for_each("most", [2, 3, 8, 20, 64])
def test_a_thinned_metric_has_the_index_of_each_value(most):
    history = ParamHistory(max_events=most)
    make(history).run([0] * 50, max_epochs=3)
    column = history["loss"]
    assert len(column) <= most
    assert column.num_events == 150
    assert list(column) == [loss_of(1 + index) for index in column.event_indices.tolist()]


@for_each("most", [None, 5, 16])
@for_each("when", ["before", "after"])
def test_a_resumed_run_has_the_history_of_the_unbroken_one(when, most, tmp_path_factory):
    """The checkpoint is saved at any event, by a handler that is added before or after the recorder."""
    folder = tmp_path_factory.mktemp("run")

    def build(saver_event=None):
        optimizer, trainer = make_optimizer(2), Engine(lambda engine, batch: loss_of(engine.state.iteration))
        trainer.state.param_history = history = ParamHistory(max_events=most)
        scheduler = CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.01, 7, save_history=True)
        objects = {"trainer": trainer, "scheduler": scheduler, "history": history}
        saver = Checkpoint(
            objects, DiskSaver(str(folder), require_empty=False), n_saved=None, global_step_transform=lambda *_: 0
        )
        if saver_event and when == "before":
            trainer.add_event_handler(saver_event, saver)
        history.record("loss", trainer)
        scheduler.attach(trainer)
        if saver_event and when == "after":
            trainer.add_event_handler(saver_event, saver)
        return trainer, objects

    unbroken, _ = build()
    unbroken.run([0] * 5, max_epochs=6)
    for event in (
        Events.ITERATION_COMPLETED(once=13),
        Events.EPOCH_COMPLETED(once=3),
        Events.ITERATION_COMPLETED(once=1),
    ):
        for old in folder.iterdir():
            old.unlink()
        broken, _ = build(event)
        broken.run([0] * 5, max_epochs=4)
        trainer, objects = build()
        Checkpoint.load_objects(objects, torch.load(next(folder.iterdir()), weights_only=True))
        trainer.run([0] * 5, max_epochs=6)
        assert trainer.state.param_history["loss"] == unbroken.state.param_history["loss"]
        assert trainer.state.param_history == unbroken.state.param_history


def test_iterations_that_were_not_recorded_are_nan():
    history = ParamHistory()
    trainer = Engine(lambda engine, batch: loss_of(engine.state.iteration))
    trainer.add_event_handler(Events.ITERATION_STARTED(once=4), lambda: history.record("loss", trainer))
    trainer.run([0] * 6)
    assert np.isnan(history.to_numpy("loss")[:3]).all()
    assert history["loss"][3:] == losses(3, first=4)


def test_events_that_a_resumed_history_lacks_are_nan():
    history = ParamHistory({"loss": [1.0, 2.0]})
    trainer = make(history)
    trainer.load_state_dict({"iteration": 5, "epoch_length": 10, "max_epochs": 1})
    trainer.run([0] * 10)
    assert history["loss"][:2] == [1.0, 2.0]
    assert [math.isnan(value) for value in history["loss"][:6]] == [False, False, True, True, True, False]
    assert history["loss"][5:] == losses(5, first=6)


def test_a_second_run_continues_after_the_first():
    history = ParamHistory()
    trainer = make(history)
    trainer.run([0] * 4)
    trainer.run([0] * 3)
    assert history["loss"] == losses(4) + losses(3)
    trainer.run([0] * 3, max_epochs=2)
    assert len(history["loss"]) == 4 + 3 + 3


def test_a_metric_is_recorded_beside_the_learning_rate(tmp_path):
    history, trainer = ParamHistory(), Engine(lambda engine, batch: loss_of(engine.state.iteration))
    history.record("loss", trainer)
    assert trainer.state.param_history is history
    CosineAnnealingScheduler(make_optimizer(1), "lr", 0.1, 0.01, 7, save_history=True).attach(trainer)
    trainer.run([0] * 5)
    history.to_csv(tmp_path / "run.csv")
    rows = list(csv.DictReader((tmp_path / "run.csv").read_text().splitlines()))
    assert [float(row["loss"]) for row in rows] == losses(5)
    assert [float(row["lr"]) for row in rows] == history.to_numpy("lr")[:, 0].tolist()
    again = ParamHistory()
    again.load_state_dict(json.loads(json.dumps(history.state_dict())))
    assert again == history
    assert again["loss"][0] == 4.0


@for_each(
    ["output", "transform", "expected"],
    [
        (2, None, 2.0),
        (torch.tensor(0.5), None, 0.5),
        (torch.tensor(0.5, dtype=torch.bfloat16, requires_grad=True), None, 0.5),
        (np.float32(0.5), None, 0.5),
        (math.inf, None, math.inf),
        ({"loss": 0.25}, lambda output: output["loss"], 0.25),
        ((None, torch.tensor(0.75)), lambda output: output[1], 0.75),
    ],
)
def test_outputs_are_recorded_as_numbers(output, transform, expected):
    history, trainer = ParamHistory(), Engine(lambda engine, batch: output)
    history.record("loss", trainer, output_transform=transform)
    trainer.run([0])
    assert history["loss"] == [expected]


@for_each("output", [None, "0.5", True, {"loss": 1.0}, (1.0, 2.0), torch.tensor([1.0, 2.0])])
def test_an_output_that_is_not_a_number_is_an_error(output):
    trainer = Engine(lambda engine, batch: output)
    history = ParamHistory()
    history.record("loss", trainer)
    with pytest.raises(TypeError, match="must be a number to be recorded as 'loss'.*output_transform") as raised:
        trainer.run([0])
    assert len(str(raised.value)) <= 500
    assert "loss" not in history


def test_a_name_has_one_recorder():
    history, trainer = ParamHistory(), make_trainer()
    handle = history.record("loss", trainer)
    with pytest.raises(ValueError, match="nothing else records, given 'loss'"):
        history.record("loss", trainer)
    scheduler = CosineAnnealingScheduler(make_optimizer(1), "lr", 0.1, 0.01, 7, save_history=True)
    with pytest.raises(ValueError, match="must not be that of another scheduler's history, given 'loss'"):
        scheduler.attach(trainer, name="loss")
    handle.remove()
    history.record("loss", trainer)
    scheduler.attach(trainer)
    with pytest.raises(ValueError, match="nothing else records, given 'lr'"):
        history.record("lr", trainer)


@for_each(
    ["error", "words", "given"],
    [
        (TypeError, "name must be a string, given 3", (3, make_trainer(), None)),
        (TypeError, "engine must be an ignite Engine", ("loss", None, None)),
        (TypeError, "output_transform must be a function", ("loss", make_trainer(), "loss")),
    ],
)
def test_wrong_arguments(error, words, given):
    name, engine, transform = given
    with pytest.raises(error, match=words):
        ParamHistory().record(name, engine, output_transform=transform)


def test_removing_the_handle_ends_the_recording():
    history, trainer = ParamHistory(), Engine(lambda engine, batch: 1.0)
    handle = history.record("loss", trainer)
    CosineAnnealingScheduler(make_optimizer(1), "lr", 0.1, 0.01, 7).attach(trainer)
    assert [str(finding) for finding in check_plan(trainer, max_epochs=1, epoch_length=7)] == []
    trainer.run([0] * 3)
    handle.remove()
    trainer.run([0] * 3, max_epochs=2)
    assert len(history["loss"]) == 3
