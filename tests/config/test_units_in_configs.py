"""Durations with units in configs: the key and the argument ``run``, lists, files, and the text in ``config()``."""

import json

import numpy as np
import pytest
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import RunLength, configure_scheduler
from lehr.handlers.config.config_description import described

RUN = {"max_epochs": 4, "epoch_length": 50, "tokens_per_step": 1000}
WSD = {"type": "WarmupStableDecayScheduler", "num_warmup_events": "1%", "num_stable_events": "79%", "peak_value": 0.1}
WSD = {**WSD, "num_decay_events": "20%"}
SAME = [
    (WSD, {"num_warmup_events": 2, "num_stable_events": 158, "num_decay_events": 40}),
    ({"type": "PiecewiseLinear", "milestones_values": [["0%", 0.0], ["2 epochs", 0.1], ["100%", 0.0]]},
     {"milestones_values": [[0, 0.0], [100, 0.1], [200, 0.0]]}),
    ({"type": "StepScheduler", "step_size": "50k tokens", "begin": "10%"}, {"step_size": 50, "begin": 20}),
    ({"type": "CosineAnnealingScheduler", "start_value": 1, "end_value": 0, "cycle_size": "25%"}, {"cycle_size": 50}),
    ({"type": "OneCycleScheduler", "max_value": 0.1, "total_steps": "100%"}, {"total_steps": 200}),
    ({"type": "ParamScheduler",
      "schedule": {"type": "Anneal", "start_value": 1, "end_value": 0, "duration": "3 epochs"}},
     {"schedule": {"type": "Anneal", "start_value": 1, "end_value": 0, "duration": 150}}),
    ({"type": "PhaseScheduler", "end": "100%", "phases": [
        {"type": "Constant", "value": 0.1},
        {"type": "Anneal", "start_value": 1, "end_value": 0, "duration": "10%"}]},
     {"end": 200, "phases": [
        {"type": "Constant", "value": 0.1}, {"type": "Anneal", "start_value": 1, "end_value": 0, "duration": 20}]}),
    ({"sequential": True, "durations": ["10%"], "schedulers": [
        {"type": "LinearScheduler", "duration": "10%", "start_value": 0.0, "end_value": 0.1},
        {"type": "CosineDecayScheduler", "duration": "90%", "start_value": 0.1}]},
     {"durations": [20], "schedulers": [
        {"type": "LinearScheduler", "duration": 20, "start_value": 0.0, "end_value": 0.1},
        {"type": "CosineDecayScheduler", "duration": 180, "start_value": 0.1}]}),
    ({"sequential": True, "milestones": ["10%"], "schedulers": [
        {"type": "torch.LinearLR", "total_iters": 5}, {"type": "torch.ConstantLR"}]}, {"milestones": [20]}),
    ({"sequential": True, "schedulers": [
        {"type": "torch.LinearLR", "total_iters": 5, "duration": "1 epochs"}, {"type": "torch.ConstantLR"}]},
     {"schedulers": [
        {"type": "torch.LinearLR", "total_iters": 5, "duration": 50}, {"type": "torch.ConstantLR"}]}),
]  # fmt: skip


@for_each(("config", "numbers"), SAME)
def test_texts_equal_the_numbers(config, numbers):
    expected = configure_scheduler(make_optimizer(), {**config, **numbers}).simulate(210)
    for length in (RUN, {"total_steps": 200, "epoch_length": 50, "tokens_per_step": 1000}):
        run = RunLength(**length)
        with_argument = configure_scheduler(make_optimizer(), config, run=run)
        assert np.array_equal(with_argument.simulate(210), expected)
        with_key = configure_scheduler(make_optimizer(), {**config, "run": {**length, "counts": "steps"}})
        assert np.array_equal(with_key.simulate(210), expected)
        for scheduler in (with_argument, with_key):
            again = configure_scheduler(make_optimizer(), json.loads(json.dumps(scheduler.config())))
            assert np.array_equal(again.simulate(210), expected)
            assert again.config() == scheduler.config()


def test_a_text_and_the_run_stay_in_the_config_as_given():
    config = configure_scheduler(make_optimizer(), WSD, run=RunLength(total_steps=200)).config()
    assert config == {**WSD, "run": {"total_steps": 200}}
    config = configure_scheduler(make_optimizer(), WSD, run=RunLength(**RUN)).config()
    assert config == {**WSD, "run": {**RUN, "counts": "steps"}}
    config = configure_scheduler(make_optimizer(), WSD, max_epochs=4, epoch_length=50).config()
    assert config == {**WSD, "epoch_length": 50, "run": {"max_epochs": 4}}


def test_what_a_number_means_beside_a_run():
    step = {"type": "StepScheduler", "step_size": 3, "gamma": 0.5, "end": "100%"}

    def step_size(config, **kwargs):
        schedule = configure_scheduler(make_optimizer(), config, **kwargs).schedule
        assert schedule.end == 200
        return schedule.schedule.step_size

    assert step_size(step, run=RunLength(**RUN)) == 3  # a RunLength never changes what a number means
    assert step_size(step, run=RUN) == 150  # in a mapping, epoch_length makes numbers count epochs
    assert step_size({**step, "run": RUN}) == 150
    assert step_size(step, run={**RUN, "counts": "steps"}) == 3
    assert step_size(step, run=RunLength(**RUN), epoch_length=50) == 150
    assert step_size({**step, "epoch_length": 50}, run=RunLength(total_steps=200)) == 150
    schedule = configure_scheduler(make_optimizer(), step, run={"max_epochs": 200, "counts": "epochs"}).schedule
    assert (schedule.end, schedule.schedule.step_size) == (200, 3)


def test_a_file(tmp_path):
    file = tmp_path / "wsd.json"
    file.write_text(json.dumps({"run": {"total_tokens": "200k", "tokens_per_step": 1000}, **WSD}))
    assert configure_scheduler(make_optimizer(), file).schedule.length == 200
    yaml = tmp_path / "wsd.yaml"
    yaml.write_text(
        "run: {total_tokens: 200k, tokens_per_step: 1000}\ntype: WarmupStableDecayScheduler\npeak_value: 0.1\n"
        "num_warmup_events: 1%\nnum_stable_events: 79%\nnum_decay_events: 20%\n"
    )
    assert configure_scheduler(make_optimizer(), yaml).schedule.length == 200


ERRORS = [
    ({}, {}, "config: num_warmup_events must be a number of events if no run is given, given '1%'"),
    ({}, {"run": {"tokens_per_step": 3}}, "config: num_warmup_events must convert to steps, given '1%': give the run"),
    ({"num_warmup_events": "2 samples"}, {"run": RunLength(**RUN)}, "given '2 samples': give the run samples_per_step"),
    ({"run": {"max_epoch": 3}}, {}, r"config\['run'\]\['max_epoch'\] is not known; did you mean 'max_epochs'"),
    ({"run": {"counts": "calls"}}, {}, r"config\['run'\]\['counts'\] must be one of 'steps', 'epochs'"),
    ({"run": {"total_steps": 3}}, {"run": RunLength(total_steps=4)}, "total_steps must have one value, given 4 and 3"),
    ({}, {"run": RunLength(total_steps=4), "total_steps": 5}, "run: total_steps must have one value, given 5 and 4"),
    ({}, {"run": {"total_steps": 4, "max_epochs": 3, "epoch_length": 2}}, r"run\['total_steps'\] must be max_epochs"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "kwargs", "text"), ERRORS)
def test_errors_say_where_and_what_is_missing(change, kwargs, text):
    with pytest.raises(ValueError, match=text):
        configure_scheduler(make_optimizer(), {**WSD, **change}, **kwargs)
    with pytest.raises(TypeError, match="run must be a RunLength or a mapping, given 3"):
        configure_scheduler(make_optimizer(), WSD, run=3)


def test_a_description_says_where_in_the_run_each_phase_ends():
    config = {**WSD, "num_warmup_events": "1.2M tokens", "run": {"total_tokens": "120M", "tokens_per_step": 10_000}}
    config = {**config, "num_stable_events": "69%", "num_decay_events": "30%"}
    found = described(configure_scheduler(make_optimizer(), config), config, dialect=None, section=None)
    assert found.run_in_words() == "12000 iterations, 120M tokens"
    assert [line.partition(": ")[0] for line in found.lines["lr"]] == [
        "events 0 to 119 (to 1.2 of 120M tokens)",
        "events 120 to 8399 (to 84 of 120M tokens)",
        "events 8400 to 11999 (to 120 of 120M tokens)",
    ]
    percent = {**WSD, "run": {"total_steps": 200}}
    found = described(configure_scheduler(make_optimizer(), percent), percent, dialect=None, section=None)
    assert found.run_in_words() == "200 iterations"
    assert found.lines["lr"][0].startswith("events 0 to 1: from 0 to 0.1")
