"""What ``configure_scheduler`` accepts and makes, what ``config()`` returns, and what errors say about a config."""

import copy
import json
import math

import numpy as np
import pytest
import torch
from cases import for_each
from golden_cases import PEERS, cases_of, config_of, optimizer_of
from ignite.engine import Engine, Events
from optimizers import make_optimizer, snapshot, values_of
from registry import CASE_IDS, CASES
from rigs import RIGS

from lehr.handlers import (
    ConcatScheduler,
    CosineAnnealingScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PiecewiseLinear,
    configure_scheduler,
)
from lehr.handlers.config.dialects import TYPES
from lehr.handlers.core.saving import description_of_scheduler

STEP = {"type": "torch.StepLR", "step_size": 2, "gamma": 0.5}


def simulated(config, events=12, optimizer=None, **kwargs):
    return configure_scheduler(optimizer or make_optimizer(2), config, **kwargs).simulate(events)


# Forms of a config.


def test_a_mapping_a_list_and_files(tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps(STEP))
    (tmp_path / "plan.yaml").write_text("type: torch.StepLR\nstep_size: 2\ngamma: 5e-1  # a number, as in YAML 1.2\n")
    (tmp_path / "list.yml").write_text("- {type: torch.StepLR, step_size: 2, gamma: .5}\n")
    expected = [[0.5, 1.5], [0.5, 1.5], [0.25, 0.75], [0.25, 0.75], [0.125, 0.375]]
    for config in (STEP, [STEP], (STEP,), *tmp_path.iterdir(), str(tmp_path / "plan.json")):
        assert simulated(config, 5).tolist() == expected


def test_a_config_is_not_changed_and_may_be_used_again():
    config = {"type": "ConcatScheduler", "durations": [2], "schedulers": [dict(STEP, type="StepScheduler")] * 2}
    before = copy.deepcopy(config)
    assert np.array_equal(simulated(config), simulated(config))
    assert config == before


def test_several_at_once_work_upon_one_another():
    decay = {"type": "torch.ExponentialLR", "gamma": 0.5}
    both = simulated([STEP, decay], 6)
    assert np.allclose(both, simulated(STEP, 6) * simulated(decay, 6) / [0.5, 1.5], rtol=1e-14)
    chained = {"type": "torch.ChainedScheduler", "schedulers": [STEP, decay]}
    assert np.array_equal(both, simulated(chained, 6))


@pytest.mark.parametrize(
    "config",
    [
        {"sequential": True, "schedulers": [dict(STEP, duration=4), STEP]},
        {"sequential": True, "schedulers": [STEP, STEP], "durations": [4]},
        {"sequential": True, "schedulers": [STEP, STEP], "milestones": [4]},
        [dict(STEP, duration=4, sequential=True), dict(STEP, sequential=True)],
        {"type": "torch.SequentialLR", "schedulers": [STEP, STEP], "milestones": [4]},
    ],
)
def test_one_after_another(config):
    once = simulated(STEP, 6).tolist()
    assert simulated(config, 10).tolist() == [*once[:4], *once]


def test_durations_that_entries_say_themselves():
    warmup = {"type": "mmengine.LinearLR", "start_factor": 0.5, "end": 3}
    cosine = {
        "type": "cerebras.CosineDecayLR",
        "initial_learning_rate": 0.5,
        "end_learning_rate": 0.0,
        "total_iters": 4,
    }
    config = {"sequential": True, "schedulers": [warmup, cosine, STEP]}
    values = simulated(config, 9, make_optimizer(1))[:, 0]
    assert np.allclose(values, [0.25, 0.375, 0.5, 0.5, 0.4267766952966369, 0.25, 0.07322330470336313, 0.5, 0.5])
    linear = {"type": "cerebras.LinearLR", "initial_learning_rate": 0.0, "end_learning_rate": 0.5, "total_iters": 2}
    config = {"type": "cerebras.SequentialLR", "schedulers": [linear, cosine]}  # Cerebras' sequential form
    values = simulated(config, 5, make_optimizer(1))[:, 0]
    assert np.allclose(values, [0.0, 0.25, 0.5, 0.4267766952966369, 0.25])


def test_lehrs_own_in_lists():
    linear = {"type": "LinearScheduler", "duration": 2, "start_value": 0.0, "end_value": 1.0}
    step = {"type": "StepScheduler", "step_size": 2, "gamma": 0.5, "initial_value": 1.0}
    sequence = {"sequential": True, "schedulers": [linear, dict(step, duration=3), STEP]}
    assert simulated(sequence, 8, make_optimizer(1))[:, 0].tolist() == [0.0, 0.5, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]
    by_epoch = simulated(sequence, 80, make_optimizer(1), epoch_length=10)[:, 0]
    assert np.allclose(by_epoch[::10], [0.0, 0.5, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25])
    whole = {"sequential": True, "schedulers": [step, STEP], "durations": [2]}
    assert simulated(whole, 40, make_optimizer(1), epoch_length=10)[::10, 0].tolist() == [1.0, 1.0, 0.5, 0.5]
    both = configure_scheduler(make_optimizer(1), [linear, dict(step, param_name="momentum")])
    assert both.names == ["lr", "momentum"]
    equal(both, configure_scheduler(make_optimizer(1), both.config()))


def test_a_plateau_after_a_warmup_does_not_count_the_metrics_before():
    config = {
        "sequential": True,
        "schedulers": [
            {"type": "torch.LinearLR", "start_factor": 0.5, "total_iters": 4},
            {"type": "torch.ReduceLROnPlateau", "patience": 1, "factor": 0.5},
        ],
    }
    optimizer = make_optimizer(1)
    scheduler, engine = configure_scheduler(optimizer, config), Engine(lambda engine, batch: None)
    engine.state.metrics["loss"] = 1.0
    written = []
    for _ in range(10):
        scheduler(engine)
        written.append(values_of(optimizer)[0])
    # The first metric is the best one. The third metric is the second without an improvement, one more than allowed.
    assert written == [0.25, 0.3125, 0.375, 0.4375, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]


def test_epochs_of_dialects_that_count_steps_are_refused():
    for config in ({"type": "cerebras.ConstantLR", "learning_rate": 1}, {"type": "transformers.constant"}):
        with pytest.raises(ValueError, match="epoch_length must be left out, since .* counts steps"):
            configure_scheduler(make_optimizer(1), config, epoch_length=3)
    warmup = {"type": "torch.LinearLR", "start_factor": 0.5, "total_iters": 2}
    values = simulated({"sequential": True, "schedulers": [warmup, STEP]}, 16, make_optimizer(1), epoch_length=4)[:, 0]
    assert values.tolist() == [0.25] * 4 + [0.375] * 4 + [0.5] * 8


def test_parameters_of_their_own_go_into_one_group_scheduler():
    scheduler = configure_scheduler(
        make_optimizer(2),
        [
            {"type": "mmengine.LinearLR", "start_factor": 0.5, "end": 3},
            {"type": "mmengine.CosineAnnealingLR", "begin": 3, "end": 9},
            {"type": "mmengine.CosineAnnealingMomentum", "end": 9, "eta_min": 0.85},
            {"type": "cerebras.LinearWD", "initial_val": 0.1, "end_val": 0.2, "total_iters": 4},
        ],
    )
    assert isinstance(scheduler, ParamGroupScheduler)
    assert scheduler.names == ["lr", "momentum", "weight_decay"]


@pytest.mark.parametrize(("cls", "key"), [(torch.optim.SGD, "momentum"), (torch.optim.Adam, "betas")])
@pytest.mark.parametrize("name", ["OneCycleLR", "CyclicLR"])
def test_momentum_is_cycled_along_in_one_handler(cls, key, name):
    optimizer = cls([torch.nn.Parameter(torch.zeros(1))], lr=0.1, **({"momentum": 0.9} if key == "momentum" else {}))
    given = (
        {"max_lr": 0.1, "total_steps": 8} if name == "OneCycleLR" else {"base_lr": 0.1, "max_lr": 1, "step_size_up": 3}
    )
    trainer = Engine(lambda engine, batch: None)
    scheduler = configure_scheduler(optimizer, {"type": f"torch.{name}", **given, "max_momentum": 0.9})
    scheduler.attach(trainer)
    trainer.run([None] * 3)
    group = optimizer.param_groups[0]
    assert (group["betas"][0] if key == "betas" else group[key]) != 0.9
    assert np.allclose(scheduler.simulate(1), [[given["max_lr"] / 25 if name == "OneCycleLR" else 0.1, 0.9]])
    alone = configure_scheduler(optimizer, {"type": f"torch.{name}", **given, "cycle_momentum": False})
    assert isinstance(alone, ParamScheduler)


def test_any_parameter_can_be_named():
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.1, weight_decay=0.5, betas=(0.8, 0.99))
    for param_name, initial in (("weight_decay", 0.5), ("betas[1]", 0.99), ("momentum", 0.8), ("eps", 1e-8)):
        for config, kwargs in ((STEP, {"param_name": param_name}), (dict(STEP, param_name=param_name), {})):
            scheduler = configure_scheduler(optimizer, config, **kwargs)
            assert scheduler.param_name == param_name
            assert scheduler.simulate(3)[:, 0].tolist() == [initial, initial, initial / 2]
    own = configure_scheduler(optimizer, {"type": "StepScheduler", "step_size": 2}, param_name="weight_decay")
    assert own.param_name == "weight_decay"


def test_save_history():
    for config in (dict(STEP, save_history=True), {"schedulers": [STEP], "save_history": True}):
        assert configure_scheduler(make_optimizer(1), config).save_history
    assert not configure_scheduler(make_optimizer(1), STEP).save_history


# Epochs.


@for_each(
    "config",
    [
        STEP,
        {"type": "torch.LinearLR", "total_iters": 3},
        {"type": "torch.CosineAnnealingLR", "T_max": 4, "eta_min": 0.1},
        {"type": "torch.OneCycleLR", "max_lr": 0.3, "total_steps": 7},
        {"type": "torch.SequentialLR", "schedulers": [STEP, STEP], "milestones": [3]},
        {"type": "timm.CosineLRScheduler", "t_initial": 5, "warmup_t": 2},
        {"type": "mmengine.PolyLR", "begin": 1, "end": 6, "eta_min": 0.01},
        {"type": "mmengine.CosineRestartLR", "periods": [2, 3], "restart_weights": [1, 0.5], "eta_min": 0.0},
        [{"type": "mmengine.LinearLR", "end": 3}, {"type": "mmengine.CosineAnnealingLR", "begin": 2, "end": 6}],
    ],
)
def test_what_counts_epochs_holds_each_value_for_one(config):
    by_epoch, by_iteration = simulated(config, 8), simulated(config, 40, epoch_length=5)
    assert np.allclose(by_iteration, np.repeat(by_epoch, 5, axis=0), rtol=1e-13)


def test_what_counts_iterations_does_so_beside_what_counts_epochs():
    config = {"type": "mmengine.LinearLR", "start_factor": 0.1, "end": 6, "by_epoch": False}
    assert np.array_equal(simulated(config, 20), simulated(config, 20, epoch_length=5))
    converted = {"type": "mmengine.LinearLR", "start_factor": 0.1, "end": 2, "convert_to_iter_based": True}
    assert np.array_equal(simulated(dict(config, end=10), 20), simulated(converted, 20, epoch_length=5))


@for_each(
    ("in_epochs", "in_events"),
    [
        ({"type": "StepScheduler", "step_size": 2}, {"step_size": 20}),
        ({"type": "MultiStepScheduler", "milestones": [1, 2.5]}, {"milestones": [10, 25]}),
        ({"type": "ExponentialScheduler", "gamma": 0.5}, {"decay_events": 10}),
        ({"type": "InverseTimeDecayScheduler", "decay_rate": 0.5, "exponent": 2}, {"decay_events": 100}),
        ({"type": "CosineDecayScheduler", "duration": 3, "begin": 1}, {"duration": 30, "begin": 10}),
        ({"type": "CosineRestartScheduler", "periods": [1, 2]}, {"periods": [10, 20]}),
        ({"type": "LinearScheduler", "duration": 3, "interval": 0.5}, {"duration": 30, "interval": 5}),
        (
            {"type": "CosineAnnealingScheduler", "start_value": 1, "end_value": 0, "cycle_size": 2},
            {"cycle_size": 20},
        ),
        ({"type": "OneCycleScheduler", "max_value": 1, "total_steps": 3}, {"total_steps": 30}),
        (
            {"type": "CyclicScheduler", "base_value": 0.1, "max_value": 1, "step_size_up": 1, "mode": "exp_range", "gamma": 0.5},
            {"step_size_up": 10, "gamma": 0.5**0.1},
        ),
        ({"type": "PiecewiseLinear", "milestones_values": [[0, 0.0], [2, 1.0]]}, {"milestones_values": [[0, 0.0], [20, 1.0]]}),
    ],
)  # fmt: skip
def test_durations_of_lehrs_own_are_in_epochs(in_epochs, in_events):
    assert np.array_equal(simulated(in_epochs, 50, epoch_length=10), simulated({**in_epochs, **in_events}, 50))
    assert np.array_equal(simulated(dict(in_epochs, epoch_length=10), 50), simulated({**in_epochs, **in_events}, 50))


# Metrics.


@for_each(
    ("config", "metric_name"),
    [
        ({"type": "torch.ReduceLROnPlateau"}, "loss"),
        ({"type": "torch.ReduceLROnPlateau", "metric_name": "accuracy"}, "accuracy"),
        ({"type": "mmengine.ReduceOnPlateauLR", "monitor": "accuracy"}, "accuracy"),
        ({"type": "mmengine.ReduceOnPlateauMomentum"}, "loss"),
        ({"type": "mmagic.ReduceLR"}, "loss"),
        ({"type": "timm.PlateauLRScheduler", "patience_t": 1, "metric_name": "accuracy"}, "accuracy"),
        ({"type": "transformers.reduce_lr_on_plateau"}, "loss"),
        ({"type": "transformers.greedy"}, "loss"),
        ([{"type": "mmengine.LinearLR", "end": 3}, {"type": "mmengine.ReduceOnPlateauLR"}], "loss"),
        ([{"type": "torch.LinearLR"}, {"type": "torch.ReduceLROnPlateau"}], "loss"),
    ],
)
def test_what_is_driven_by_a_metric_reads_it_from_the_second_event_on(config, metric_name):
    optimizer = make_optimizer(2)
    scheduler = configure_scheduler(optimizer, config)
    assert scheduler.metric_name == metric_name
    engine = Engine(lambda engine, batch: None)
    scheduler(engine)
    before = snapshot(optimizer)
    with pytest.raises(ValueError, match=f"metric_name must be one of .*given {metric_name!r}"):
        scheduler(engine)
    assert (scheduler.event_index, snapshot(optimizer)) == (1, before)
    engine.state.metrics[metric_name] = 1.0
    scheduler(engine)
    assert scheduler.event_index == 2


@for_each("stop", [1, 2, 5])
@for_each("epoch_length", [None, 3])
@for_each(
    "config",
    [{"type": "torch.ReduceLROnPlateau", "patience": 1, "factor": 0.5}, {"type": "transformers.greedy", "patience": 0}],
)
def test_a_run_that_is_resumed_has_the_metric_that_was_to_come(config, epoch_length, stop):
    def run(epochs, state=None):
        optimizer, trainer, written = make_optimizer(1), Engine(lambda engine, batch: None), []
        scheduler = configure_scheduler(optimizer, config, epoch_length=epoch_length)
        event = Events.EPOCH_STARTED if epoch_length is None else Events.ITERATION_STARTED
        scheduler.attach(trainer, event)
        trainer.add_event_handler(event, lambda: written.append(values_of(optimizer)[0]))
        losses = [3.0, 2.0, 2.5, 2.5, 1.0, 1.5, 1.5, 1.5]

        @trainer.on(Events.EPOCH_COMPLETED)
        def validate(engine):
            engine.state.metrics["loss"] = losses[engine.state.epoch - 1]

        if state is not None:
            for one, saved in zip((optimizer, scheduler, trainer), copy.deepcopy(state), strict=True):
                one.load_state_dict(saved)
        trainer.run([None] * 3, max_epochs=epochs)
        return written, (optimizer.state_dict(), json.loads(json.dumps(scheduler.state_dict())), trainer.state_dict())

    unbroken, _ = run(8)
    before, state = run(stop)
    after, _ = run(8, state)
    assert before + after == unbroken


def test_metrics_of_epochs_are_counted_once_an_epoch():
    optimizer = make_optimizer(1)
    config = {"type": "torch.ReduceLROnPlateau", "factor": 0.5, "patience": 0}
    trainer = Engine(lambda engine, batch: None)
    configure_scheduler(optimizer, config, epoch_length=4).attach(trainer)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: engine.state.metrics.update(loss=1.0))
    written = []
    trainer.add_event_handler(Events.ITERATION_STARTED, lambda: written.append(values_of(optimizer)[0]))
    trainer.run([None] * 4, max_epochs=4)
    assert written == [0.5] * 8 + [0.25] * 4 + [0.125] * 4


# Configs of schedulers, and schedulers made from these configs.


def equal(one, other):
    assert type(one) is type(other)
    assert one._identity() == other._identity()
    assert one.save_history == other.save_history
    assert description_of_scheduler(one) == description_of_scheduler(other)
    assert one.config() == other.config()


@for_each(("example", "groups"), CASES, CASE_IDS)
def test_configs_of_lehrs_own_make_equal_schedulers(example, groups):
    optimizer = make_optimizer(groups)
    scheduler = example(optimizer, save_history=True)
    try:
        config = scheduler.config()
    except TypeError as error:
        assert "must be plain data to be in a config, given" in str(error)
        assert "function" in repr(example) or "Sawtooth" in repr(example)
        return
    if "own get_param" in example.name or "own cycle" in example.name:  # no table has the user's own class
        with pytest.raises(ValueError, match=r"\['type'\] must be a known type"):
            configure_scheduler(optimizer, config)
        return
    again = configure_scheduler(optimizer, json.loads(json.dumps(config)))
    equal(scheduler, again)
    assert np.array_equal(scheduler.simulate(60), again.simulate(60))


@for_each("name", [name for name in RIGS if name.startswith(("state", "exp", "lin", "step", "mul", "gro", "pla"))])
def test_configs_of_the_others_do_too(name):
    rig = RIGS[name]()
    try:
        config = rig.scheduler.config()
    except TypeError as error:
        assert "must be plain data to be in a config" in str(error)
        return
    optimizer = getattr(rig.scheduler, "optimizer", None)
    optimizer = optimizer[0] if isinstance(optimizer, list) else optimizer or make_optimizer(1)
    equal(rig.scheduler, configure_scheduler(optimizer, json.loads(json.dumps(config))))


@pytest.mark.parametrize("peer", PEERS)
def test_configs_of_other_libraries_come_back(peer):
    for case in cases_of(peer):
        config, optimizer = config_of(case), optimizer_of(case)
        if "lambda" in json.dumps(case["kwargs"]) or (case.get("raises") or {}).get("where") == "constructor":
            continue
        if case["id"] in ("mmagic-A-007",):
            continue
        scheduler = configure_scheduler(optimizer, config, epoch_length=case["steps_per_epoch"])
        again = configure_scheduler(optimizer, json.loads(json.dumps(scheduler.config())))
        equal(scheduler, again)
        assert np.array_equal(scheduler.simulate(20), again.simulate(20))


def half(progress):
    return 1 - progress / 2


def test_a_schedule_with_a_function_is_described_by_its_name():
    config = {"type": "timm.WSDLRScheduler", "t_initial": 10, "decay_t": 4, "decay_fn": half}
    description = json.dumps(configure_scheduler(make_optimizer(1), config).schedule.description())
    assert '"half"' in description
    assert " at 0x" not in description
    assert simulated(config, 11, make_optimizer(1))[:, 0].tolist() == [0.5] * 7 + [0.4375, 0.375, 0.3125, 0.25]


@for_each("library", TYPES)
def test_default_values_pass_their_checks(library):
    for row in TYPES[library].values():
        for key, argument in row.arguments.items():
            if isinstance(argument, tuple) and argument[1] is not None:
                check, default = argument
                assert check(key, default) == default


def test_functions_are_legal_in_python_and_have_no_config():
    scheduler = configure_scheduler(make_optimizer(2), {"type": "torch.LambdaLR", "lr_lambda": [math.cos, math.exp]})
    assert scheduler.simulate(2).tolist() == [[0.5, 1.5], [0.5 * math.cos(1), 1.5 * math.e]]
    with pytest.raises(
        TypeError, match=r"lr_lambda\[0\] must be plain data to be in a config, given <built-in function cos>"
    ):
        scheduler.config()


def test_a_config_is_a_copy():
    scheduler = CosineAnnealingScheduler(make_optimizer(1), "lr", 1.0, 0.0, 10)
    scheduler.config()["cycle_size"] = 3
    assert scheduler.config() == {
        "type": "CosineAnnealingScheduler", "param_name": "lr", "start_value": 1.0, "end_value": 0.0, "cycle_size": 10,
    }  # fmt: skip
    configured = configure_scheduler(make_optimizer(1), {"type": "torch.MultiStepLR", "milestones": [3]})
    configured.config()["milestones"].append(4)
    assert configured.config() == {"type": "torch.MultiStepLR", "milestones": [3]}


def test_a_config_has_the_arguments_as_they_were_given():
    points, by_position = [[0, 0.1], [5, 0.2]], [[0, 0.1], [5, 0.2]]
    given = [
        PiecewiseLinear(make_optimizer(1), "lr", by_position),
        PiecewiseLinear(make_optimizer(1), "lr", milestones_values=points),
    ]
    before = [scheduler.config() for scheduler in given]
    for changed in (points, by_position):
        changed[1][1] = 0.7
        changed.append([9, 0.9])
    assert [scheduler.config() for scheduler in given] == before
    assert before[0]["milestones_values"] == before[1]["milestones_values"] == [[0, 0.1], [5, 0.2]]


def test_nested_ones():
    config = {
        "type": "ConcatScheduler",
        "schedulers": [
            {"type": "LinearScheduler", "param_name": "lr", "duration": 5, "start_value": 0.0, "end_value": 1.0},
            {"type": "ParamScheduler", "param_name": "lr", "schedule": {"type": "Constant", "value": 0.5}},
        ],
        "durations": [5],
    }
    scheduler = configure_scheduler(make_optimizer(1), config)
    assert isinstance(scheduler, ConcatScheduler)
    assert scheduler.simulate(8)[:, 0].tolist() == [0.0, 0.2, 0.4, 0.6, 0.8, 0.5, 0.5, 0.5]
    assert scheduler.config() == config


# Errors: each names the wrong part of the config and suggests similar names.

SEQUENCE = {"type": "torch.SequentialLR", "schedulers": [STEP, {"type": "torch.StepLR"}], "milestones": [1]}
WRONG = [
    ({}, ValueError, "config: 'type' must be present"),
    ([], ValueError, "config must have at least one mapping"),
    (3, TypeError, "config must be a mapping, a list of mappings or the path of a file, given 3"),
    ([3], TypeError, r"config\[0\] must be a mapping, given 3"),
    ({"type": 3}, TypeError, r"config\['type'\] must be a string or a class, given 3"),
    ({3: 4, "type": "torch.StepLR"}, TypeError, "keys must be strings, given 3"),
    ({"type": "torch.StpLR"}, ValueError, r"config\['type'\] must be a known type, .*given 'torch.StpLR'; did you mean 'torch.StepLR' or "),
    ({"type": "torhc.StepLR"}, ValueError, "given 'torhc.StepLR'; did you mean .*'torch.StepLR'"),
    ({"type": "os.system"}, ValueError, "must be a known type, with the prefix .*given 'os.system'"),
    ({"type": "torch.optim.lr_scheduler.StpLR"}, ValueError, r"config\['type'\] must be a known type"),
    ({"type": "StepSchduler"}, ValueError, "given 'StepSchduler'; did you mean 'StepScheduler'"),
    ({"type": "torch.StepLR"}, ValueError, "config: 'step_size' must be present"),
    (dict(STEP, gama=1), ValueError, r"config\['gama'\] is not known; did you mean 'gamma'?"),
    (dict(STEP, optimizer=1), ValueError, r"config\['optimizer'\] is not known"),
    (dict(STEP, gamma="0.5"), TypeError, r"config\['gamma'\] must be a number, given '0.5'"),
    (dict(STEP, gamma=math.nan), ValueError, r"config\['gamma'\] must be finite, given nan"),
    (dict(STEP, gamma=len), TypeError, r"config\['gamma'\] must be a number, given <built-in function len>"),
    (dict(STEP, step_size=0), ValueError, r"config\['step_size'\] must be a whole number of at least 1, given 0"),
    (dict(STEP, step_size=2.5), ValueError, r"config\['step_size'\] must be a whole number"),
    (dict(STEP, step_size=None), TypeError, r"config\['step_size'\] must be a number, given None"),
    (dict(STEP, last_epoch=3), ValueError, r"config\['last_epoch'\] must be -1"),
    (dict(STEP, param_name="lrr"), ValueError, r"config\['param_name'\].*did you mean 'lr'"),
    ([STEP, dict(STEP, step_size=-1)], ValueError, r"config\[1\]\['step_size'\] must be"),
    (SEQUENCE, ValueError, r"config\['schedulers'\]\[1\]: 'step_size' must be present"),
    (dict(SEQUENCE, milestones=[]), ValueError, r"config\['schedulers'\]\[1\]: 'step_size'"),
    (dict(SEQUENCE, schedulers=[STEP], milestones=[1]), ValueError, "must have one milestone fewer than the schedulers"),
    (dict(SEQUENCE, schedulers=STEP), TypeError, r"config\['schedulers'\] must be a list of mappings"),
    (dict(SEQUENCE, schedulers=[{"type": "timm.StepLRScheduler"}]), ValueError, r"\[0\]\['type'\] must be a type of torch"),
    ({"type": "torch.LambdaLR", "lr_lambda": "math.cos"}, TypeError, r"config\['lr_lambda'\] must be a function, which only"),
    ({"type": "LambdaScheduler", "factor_fn": "math.cos"}, TypeError, "must be .* function"),
    ({"type": "torch.OneCycleLR", "max_lr": 1}, ValueError, "config: either total_steps or both epochs and steps"),
    ({"type": "torch.OneCycleLR", "max_lr": [1, 2, 3], "total_steps": 9}, ValueError, "must have values for 2 param groups"),
    ({"type": "mmengine.LinearLR", "begin": 5, "end": 5}, ValueError, r"config\['end'\] must be more than begin"),
    ({"type": "mmengine.LinearLR", "convert_to_iter_based": True}, ValueError, "needs epoch_length: give it to configure_scheduler"),
    ({"type": "mmengine.OneCycleMomentum", "eta_max": 1, "total_steps": 9}, ValueError, "config.*can schedule only 'lr'"),
    ({"type": "timm.WSDLRScheduler", "t_initial": 3, "decay_t": 5}, ValueError, "config: decay_t must be at most t_initial, 3"),
    ({"type": "transformers.cosin", "num_warmup_steps": 3}, ValueError, "did you mean 'transformers.cosine'"),
    ({"type": "transformers.linear", "num_training_steps": 3}, ValueError, "config: 'num_warmup_steps' must be present"),
    ({"type": "cerebras.StepLR", "initial_val": 1}, ValueError, r"config\['initial_val'\].*did you mean 'initial_learning_rate'"),
    ({"type": "cerebras.ConstantLR", "learning_rate": 1, "param_group_tags": ["a"]}, ValueError, "must be among the tags of the param groups"),
    ([{"type": "timm.PolyLRScheduler", "t_initial": 3}, STEP], ValueError, r"config\[0\] and config\[1\] both write 'lr'"),
    ([{"type": "StepScheduler", "step_size": 3}] * 2, ValueError, "lehr's own schedulers cannot change one another's values"),
    ([STEP, {"type": "ReduceOnPlateauScheduler", "metric_name": "loss", "param_name": "momentum"}], ValueError, "and read no metric"),
    ({"schedulers": [STEP], "sequental": True}, ValueError, r"config\['sequental'\] is not known"),
    ({"schedulers": [STEP, STEP], "sequential": True}, ValueError, r"config\['schedulers'\]\[0\]: 'duration' must be the number of events"),
    ({"schedulers": [STEP, STEP], "sequential": "yes"}, TypeError, r"config\['sequential'\] must be True or False"),
    ({"type": "ParamScheduler", "schedule": {"type": "Anneal", "start_value": 1}}, (TypeError, ValueError), r"config\['schedule'\]"),
    ({"type": "ParamScheduler", "schedule": {"type": "Aneal"}}, ValueError, "did you mean 'Anneal'"),
    ({"type": "StepScheduler", "step_size": 3, "optimizer": 1}, ValueError, r"config\['optimizer'\] is not known"),
    ({"type": "StepLR"}, ValueError, "given 'StepLR'; did you mean .*'torch.StepLR'"),
    ({"type": "cosine"}, ValueError, "did you mean 'transformers.cosine'"),
    ({"type": "ParamGroupScheduler", "schedulers": [STEP, STEP]}, ValueError, r"\['schedulers'\]\[1\] must write another parameter"),
    ([{"type": "mmengine.LinearLR", "by_epoch": False, "end": 5}, {"type": "mmengine.StepLR", "step_size": 8}], ValueError, r"config\[1\] counts epochs and config\[0\] counts iterations, so epoch_length must be a number"),
    ({"type": "MMENGINE.LinearLR"}, ValueError, "did you mean 'mmengine.LinearLR'"),
    ({"type": "torch.LambdaLR", "lr_lambda": [math.cos]}, ValueError, "config: .*values for 2 param groups|config: factor_fn must be"),
    ({"type": "torch.ReduceLROnPlateau", "min_lr": [1, 2, 3]}, ValueError, r"^config\['min_lr'\] must have values for 2 param groups, given 3"),
    ([{"type": "mmengine.CosineRestartLR", "periods": [4], "eta_min": 0}, {"type": "mmengine.OneCycleLR", "eta_max": [1, 2, 3], "end": 9}], ValueError, r"^config\[1\]\['eta_max'\] must have values for 2 param groups, given 3"),
    ([{"type": "torch.OneCycleLR", "max_lr": [1, 2, 3], "total_steps": 9}] * 2, ValueError, r"config\[0\]\['max_lr'\] must have values for 2 param"),
    ({"type": "ReduceLROnPlateauScheduler", "metric_name": "loss", "param_name": "weight_decay"}, ValueError, "can schedule only 'lr'"),
    ({"type": "ParamScheduler", "schedule": {"type": "Product", "schedules": [1]}}, TypeError, r"\['schedule'\]: schedules\[0\] must be a Schedule"),
    ({"type": "ParamScheduler", "schedule": {"type": "Cosine"}}, TypeError, r"\['schedule'\]: schedule must be a Schedule"),
    ({"type": "PiecewiseLinear", "milestones_values": [[0, 1], {"a": 1}], "epoch_length": 2}, ValueError, r"milestones_values\[1\]"),
    ({"type": "cerebras.ConstantLR", "learning_rate": 1, "param_group_tags": 5}, TypeError, "^config: param_group_tags must be"),
    ({"type": "cerebras.ExponentialLR", "initial_learning_rate": 1, "total_iters": 9, "decay_rate": -1}, ValueError, "^config: gamma"),
    ({"type": "timm.PlateauLRScheduler", "warmup_t": []}, TypeError, r"config\['warmup_t'\] must be a number"),
    ({"type": "timm.PlateauLRScheduler", "noise_type": "banana", "noise_range_t": 3}, ValueError, "noise_type must be one of"),
    ({"type": "timm.PolyLRScheduler", "t_initial": 9, "noise_range_t": [5, 2]}, ValueError, "noise_range_t must rise"),
    ({"type": "transformers.constant", "bogus": None}, ValueError, r"config\['bogus'\] is not known"),
    ({"type": "transformers.constant", "num_warmup_steps": "nonsense"}, TypeError, r"config\['num_warmup_steps'\] must be a number"),
    ({"type": "transformers.linear", "scheduler_specific_kwargs": False}, TypeError, "scheduler_specific_kwargs'.* must be a mapping"),
    ({"sequential": True, "schedulers": [dict(STEP, duration=2), dict(STEP, duration="x")]}, TypeError, r"\[1\]\['duration'\]"),
    ({"sequential": True, "schedulers": [dict(STEP, duration=2), STEP], "durations": [2]}, ValueError, "the durations must be under one key"),
    ({"type": "StepScheduler", "step_size": "3"}, TypeError, "config: step_size must be a number, given '3'"),
]  # fmt: skip


@for_each(("config", "kind", "message"), WRONG)
def test_errors_say_where(config, kind, message):
    optimizer = make_optimizer(2)
    before = snapshot(optimizer)
    with pytest.raises(kind, match=message):
        configure_scheduler(optimizer, config)
    assert snapshot(optimizer) == before


@for_each(
    ("config", "epoch_length", "message"),
    [
        (STEP, 0, "epoch_length must be a whole number of at least 1"),
        (dict(STEP, epoch_length=3), 4, "epoch_length must have one value, given 4 and 3"),
        ({"type": "transformers.constant"}, 3, "epoch_length must be left out, since transformers counts steps"),
        (
            {"type": "OneCycleScheduler", "max_value": 1, "epochs": 3, "steps_per_epoch": 4},
            5,
            "steps_per_epoch must be epoch_length, 5, given 4",
        ),
        ({"type": "torch.OneCycleLR", "max_lr": 1, "epochs": 3, "steps_per_epoch": 4}, 5, "must be epoch_length, which"),
        ({"type": "torch.SequentialLR", "milestones": [2], "schedulers": [
            STEP, {"type": "torch.OneCycleLR", "max_lr": 1, "epochs": 3, "steps_per_epoch": 4}]}, 4,
            "'total_steps'\\] must be given, in epochs"),
        ({"type": "LambdaScheduler", "factor_fn": math.cos}, 4, "epoch_length must be left out if a function is given"),
        ({"type": "CyclicScheduler", "base_value": 0, "max_value": 1, "step_size_up": 2, "scale_fn": math.cos}, 4, "scale_fn"),
        ({"type": "StepScheduler", "step_size": 0.3}, 7, "step_size must be a whole number of events, given 0.3 epochs"),
    ],
)  # fmt: skip
def test_epochs_that_make_no_sense_are_refused(config, epoch_length, message):
    with pytest.raises((TypeError, ValueError), match=message):
        configure_scheduler(make_optimizer(2), config, epoch_length=epoch_length)


@for_each(
    ("name", "content", "message"),
    [
        ("plan.json", "{", "plan.json: "),
        ("plan.json", '{"type": "torch.StepLR", "type": "x"}', "plan.json: the key 'type' must occur once"),
        ("plan.json", '{"type": "torch.StepLR", "gamma": NaN}', "plan.json: numbers must be finite"),
        ("plan.json", "3", "plan.json must be a mapping, a list of mappings"),
        ("plan.json", '[{"type": "torch.StepLR", "step_siz": 1}]', r"plan.json\[0\]\['step_siz'\].*did you mean 'step_size'"),
        ("plan.yaml", "type: torch.StepLR\ntype: x", "plan.yaml: the key 'type' must occur once"),
        ("plan.yaml", "type: [", "plan.yaml: the text is not well-formed"),
        ("plan.yaml", "? [1, 2]\n: 3", "plan.yaml: "),
        ("plan.yaml", "", "plan.yaml must be a mapping"),
        ("plan.yaml", "type: !!python/object/apply:os.system ['touch pwned']", "tag !!python/object/apply:os.system"),
        ("plan.yaml", "type: torch.LambdaLR\nlr_lambda: !!python/name:math.cos", "tag !!python/name:math.cos"),
        ("plan.yaml", "type: torch.LambdaLR\nlr_lambda: math.cos", r"plan.yaml\['lr_lambda'\] must be a function"),
        ("plan.yaml", "type: torch.StepLR\nstep_size: 2024-01-01", r"plan.yaml\['step_size'\] must be a number"),
        ("plan.txt", "", "config must be a .yaml, .yml, .json, .toml or .py file"),
    ],
)  # fmt: skip
def test_files_are_read_safely(tmp_path, monkeypatch, name, content, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(content)
    with pytest.raises((TypeError, ValueError), match=message):
        configure_scheduler(make_optimizer(1), tmp_path / name)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "content", ["gamma: !!float ''", "a: !!bool foo", "a: !!timestamp foo", "step_size: !!int ''", "a: \xff"]
)
def test_odd_files_are_errors_with_their_name(tmp_path, content):
    (tmp_path / "plan.yaml").write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match="plan.yaml: "):
        configure_scheduler(make_optimizer(1), tmp_path / "plan.yaml")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ValueError, match="folder.yaml: cannot be read"):
        configure_scheduler(make_optimizer(1), tmp_path / "folder.yaml")


def test_a_file_may_merge_and_override(tmp_path):
    (tmp_path / "plan.yaml").write_text("- &a {type: torch.StepLR, step_size: 2, gamma: 0.5}\n- {<<: *a, gamma: 0.1}\n")
    assert configure_scheduler(make_optimizer(1), tmp_path / "plan.yaml").simulate(3)[2] == pytest.approx(
        0.5 * 0.5 * 0.1
    )
    (tmp_path / "plan.json").write_text("\ufeff" + json.dumps(STEP))
    assert configure_scheduler(make_optimizer(1), tmp_path / "plan.json").simulate(1) == 0.5


def test_configs_that_are_too_much_are_refused_at_once(tmp_path):
    loop = {"type": "torch.ChainedScheduler", "schedulers": []}
    loop["schedulers"].append(loop)
    with pytest.raises(ValueError, match="config must be nested at most 50 deep"):
        configure_scheduler(make_optimizer(1), loop)
    laughs = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    (tmp_path / "plan.yaml").write_text(laughs + "type: torch.StepLR\nstep_size: *a8\n")
    with pytest.raises(ValueError, match="must have at most 1000000 values in it") as error:
        configure_scheduler(make_optimizer(1), tmp_path / "plan.yaml")
    assert len(str(error.value)) < 300
    far = [{"type": "mmengine.CosineAnnealingLR", "end": 10**8}, {"type": "mmengine.LinearLR", "end": 10**8}]
    with pytest.raises(ValueError, match="an entry after windows that overlap must begin within"):
        configure_scheduler(make_optimizer(1), [*far, {"type": "mmengine.StepLR", "step_size": 3, "begin": 10**8}])


def test_members_may_be_lists_and_have_epochs_of_their_own():
    optimizer = make_optimizer(1)
    warmup = configure_scheduler(
        optimizer, [{"type": "mmengine.LinearLR", "end": 3}, {"type": "mmengine.StepLR", "step_size": 3}]
    )
    decay = configure_scheduler(optimizer, {"type": "torch.StepLR", "step_size": 3}, epoch_length=2)
    scheduler = ConcatScheduler([warmup, decay], [5])
    again = configure_scheduler(optimizer, json.loads(json.dumps(scheduler.config())))
    assert np.array_equal(scheduler.simulate(20), again.simulate(20))
    chain = {
        "type": "ChainedScheduler",
        "schedulers": [{"type": "StepScheduler", "step_size": 3}],
        "param_name": "weight_decay",
    }
    optimizer.param_groups[0]["weight_decay"] = 0.5
    scheduler = configure_scheduler(optimizer, chain)
    assert scheduler.param_name == "weight_decay"
    equal(scheduler, configure_scheduler(optimizer, scheduler.config()))


def test_one_cycle_holds_its_end_inside_of_others_too():
    inner = {"type": "torch.OneCycleLR", "max_lr": 0.1, "total_steps": 3, "cycle_momentum": False}
    sequence = {"type": "torch.SequentialLR", "schedulers": [inner, STEP], "milestones": [8]}
    nested = {"type": "torch.SequentialLR", "schedulers": [sequence, STEP], "milestones": [20]}
    alone = simulated(inner, 8, make_optimizer(1))
    assert np.allclose(simulated(sequence, 8, make_optimizer(1)), alone)
    # torch 2.4 begins a nested `SequentialLR` at its second step.
    late = 0 if hasattr(torch.optim.lr_scheduler.SequentialLR, "recursive_undo") else 1
    assert np.allclose(simulated(nested, 7, make_optimizer(1)), alone[late : late + 7])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        configure_scheduler(make_optimizer(1), tmp_path / "plan.yaml")


# The length of the run.

WARMED_UP = [
    {"type": "mmengine.LinearLR", "start_factor": 0.1, "end": 2},
    {"type": "mmengine.CosineAnnealingLR", "eta_min": 0.001, "begin": 2},
]


@pytest.mark.parametrize("length", [{"max_epochs": 8}, {"total_steps": 16}, {"max_epochs": 8, "total_steps": 16}])
def test_an_end_that_is_missing_is_the_end_of_the_run(length):
    """The default of ``end`` is the end of the run, as in mmengine's ``Runner``."""
    optimizer = make_optimizer(lr=0.1)
    explicit = [WARMED_UP[0], {**WARMED_UP[1], "end": 8}]
    values = simulated(WARMED_UP, 16, optimizer, epoch_length=2, **length)[:, 0]
    assert values.tolist() == simulated(explicit, 16, optimizer, epoch_length=2)[:, 0].tolist()
    assert values[[0, 3, 6, 8, -1]].round(5).tolist() == [0.01, 0.1, 0.09337, 0.07525, 0.00763]
    by_iteration = [{**entry, "by_epoch": False} for entry in WARMED_UP]
    values = simulated(by_iteration, 16, optimizer, total_steps=16)[:, 0]
    assert values.tolist() == simulated([by_iteration[0], {**by_iteration[1], "end": 16}], 16, optimizer)[:, 0].tolist()


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [("Linear", {}), ("CosineAnnealing", {}), ("Poly", {}), ("OneCycle", {"eta_max": 0.5})],
)
def test_an_entry_whose_values_depend_on_a_missing_end_is_refused(name, kwargs):
    entry = {"type": f"mmengine.{name}LR", **kwargs}
    for config in (entry, [entry], [{**entry, "by_epoch": False}]):
        with pytest.raises(
            ValueError, match=r"\['end'\] must be given, in (epochs|iterations), or .* as (max_epochs|total)"
        ):
            configure_scheduler(make_optimizer(), config)
    for unbounded in ({"type": "mmengine.StepLR", "step_size": 2}, {"type": "mmengine.ConstantLR", "factor": 0.5}):
        assert len(simulated(unbounded)) == 12


def test_one_cycle_of_epochs_counts_iterations():
    cycle = {"type": "torch.OneCycleLR", "max_lr": 0.5, "total_steps": 12}
    own = {"type": "OneCycleScheduler", "max_value": 0.5, "total_steps": 12}
    for config in (cycle, own):
        expected = simulated(config).tolist()
        of_epochs = {key: value for key, value in config.items() if key != "total_steps"} | {"epochs": 3}
        assert simulated({**of_epochs, "steps_per_epoch": 4}).tolist() == expected
        assert simulated(of_epochs, epoch_length=4).tolist() == expected
        assert simulated({**of_epochs, "steps_per_epoch": 4}, epoch_length=4).tolist() == expected


def test_training_steps_that_are_missing_are_those_of_the_run():
    for name in ("linear", "get_cosine_schedule_with_warmup", "warmup_stable_decay"):
        config = {"type": f"transformers.{name}", "num_warmup_steps": 3}
        config |= {"num_decay_steps": 4} if name == "warmup_stable_decay" else {}
        given = simulated({**config, "num_training_steps": 12})
        assert simulated(config, total_steps=12).tolist() == given.tolist()
        assert simulated({**config, "run": {"total_steps": 12}}).tolist() == given.tolist()
        with pytest.raises(ValueError, match="num_training_steps"):
            configure_scheduler(make_optimizer(), config)


def test_the_length_of_the_run_is_in_the_config_of_the_scheduler():
    scheduler = configure_scheduler(make_optimizer(), WARMED_UP, epoch_length=2, max_epochs=8)
    config = scheduler.config()
    assert config["run"] == {"max_epochs": 8}
    assert simulated(config, optimizer=make_optimizer()).tolist() == scheduler.simulate(12).tolist()


@pytest.mark.parametrize(
    ("length", "message"),
    [
        ({"max_epochs": 0}, "max_epochs must be a whole number of at least 1, given 0"),
        ({"total_steps": 2.5}, "total_steps must be a whole number of at least 1, given 2.5"),
        (
            {"max_epochs": 3, "epoch_length": 4, "total_steps": 10},
            r"max_epochs \* epoch_length = 3 \* 4 = 12, given 10",
        ),
        ({"run": {"epochs": 3}}, r"config\['run'\]\['epochs'\] is not known"),
        ({"run": 3}, r"config\['run'\] must be a mapping, given 3"),
        ({"run": {"max_epochs": 3}, "max_epochs": 4}, "config: max_epochs must have one value, given 4 and 3"),
    ],
)
def test_lengths_that_make_no_sense_are_refused(length, message):
    config = {**STEP, "run": length["run"]} if "run" in length else STEP
    with pytest.raises((ValueError, TypeError), match=message):
        configure_scheduler(make_optimizer(), config, **{key: one for key, one in length.items() if key != "run"})
