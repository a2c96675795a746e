"""What Cerebras' page names works as the page says, has a counterpart, or is refused with a reason."""

import copy

import numpy as np
import pytest
import torch
from cases import for_each
from cerebras_page import OPTIMIZERS, REQUIRED, SCHEDULERS, TRIED, arguments_of, by_formula
from ignite.engine import Engine

from lehr.engine import configure_optimizer, preinitialize, state_names_to_sparsify
from lehr.handlers import configure_scheduler
from lehr.handlers.config.dialects import TYPES

LINEAR = {"type": "cerebras.LinearLR", "initial_learning_rate": 0.0, "end_learning_rate": 0.8, "total_iters": 4}
STEP = {"type": "cerebras.StepLR", "initial_learning_rate": 0.8, "step_size": 3, "gamma": 0.5}
STEPPED = [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.2]


def make_optimizer(**groups_of):
    """Three param groups at 0.1, each with the options of its own."""
    groups = [
        {"params": [torch.nn.Parameter(torch.ones(2))], **{key: values[at] for key, values in groups_of.items()}}
        for at in range(3)
    ]
    return torch.optim.SGD(groups, lr=0.1)


def values_of(config, num_events=8, **groups_of):
    return configure_scheduler(make_optimizer(**groups_of), config).simulate(num_events)


@for_each("name", SCHEDULERS)
def test_schedulers_have_the_arguments_and_defaults_of_the_page(name):
    known = TYPES["cerebras"][name].arguments
    for argument, default in arguments_of(SCHEDULERS[name]).items():
        given = known[argument][1] if isinstance(known[argument], tuple) else REQUIRED
        if argument == "milestones" and name == "SequentialLR":
            assert given is None  # it may be left out here
        elif argument == "scale_mode":
            assert given is None  # the mode's own, since the page has "iterations" in the text of "exp_range"
        else:
            assert given == default, argument


def test_steps_reset_is_an_argument_of_16_classes_of_18():
    have = [name for name in SCHEDULERS if "disable_lr_steps_reset" in TYPES["cerebras"][name].arguments]
    assert set(SCHEDULERS) - set(have) == {"SequentialLR", "ChainedScheduler"}
    assert len(have) == 16
    assert not any("disable_lr_steps_reset" in row.arguments for name, row in TYPES["cerebras"].items() if "WD" in name)
    with pytest.raises(TypeError, match=r"config\['disable_lr_steps_reset'\] must be True or False, given 'no'"):
        values_of({**STEP, "disable_lr_steps_reset": "no"})


def test_without_a_steps_reset_a_scheduler_counts_the_steps_of_its_sequence():
    def sequence(**options):
        return {"type": "cerebras.SequentialLR", "schedulers": [LINEAR, {**STEP, **options}], "milestones": [4]}

    reset, not_reset = values_of(sequence()), values_of(sequence(disable_lr_steps_reset=True))
    assert reset[:, 0].tolist() == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.4])
    assert not_reset[:, 0].tolist() == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.4, 0.4, 0.2, 0.2])
    alone = values_of({**STEP, "disable_lr_steps_reset": True})
    assert alone[:, 0].tolist() == pytest.approx(STEPPED)
    only = values_of({"type": "cerebras.SequentialLR", "schedulers": [{**STEP, "disable_lr_steps_reset": True}]})
    assert only[:, 0].tolist() == pytest.approx(STEPPED)


def test_schedulers_in_another_one_get_its_tags():
    tags = {"tags": [["a"], ["b"], ["a", "c"]]}
    compounds = [
        {"type": "cerebras.SequentialLR", "schedulers": [STEP, LINEAR], "milestones": [8]},
        {"type": "cerebras.ChainedScheduler", "schedulers": [STEP]},
        {"type": "cerebras.ScalePerParamLR", "scheduler": STEP},
    ]
    for config in compounds:
        values = values_of({**config, "param_group_tags": ["a"]}, **tags)
        assert values[:, 0].tolist() == values[:, 2].tolist() == pytest.approx(STEPPED)
        assert values[:, 1].tolist() == [0.1] * 8
    same = {**STEP, "param_group_tags": "a"}
    assert values_of({"type": "cerebras.ScalePerParamLR", "scheduler": same, "param_group_tags": ["a"]}, **tags).any()
    other = {**STEP, "param_group_tags": ["b"]}
    for outer_tags in ({"param_group_tags": ["a"]}, {}):
        with pytest.raises(
            ValueError, match=r"\['param_group_tags'\] must be the tags of the scheduler around it, .*'b'"
        ):
            values_of({"type": "cerebras.ChainedScheduler", "schedulers": [STEP, other], **outer_tags}, **tags)


def test_tags_and_scales_that_are_none_are_named_with_their_group():
    with pytest.raises(TypeError, match="tags of param group 1 must be a string or a list of strings, given 3"):
        values_of({**STEP, "param_group_tags": "a"}, tags=["a", 3, "a"])
    with pytest.raises(TypeError, match="adjust_learning_rate of param group 2 must be a number, given 'x'"):
        values_of({"type": "cerebras.ScalePerParamLR", "scheduler": STEP}, adjust_learning_rate=[1.0, 2.0, "x"])


def test_a_nested_scheduler_is_scaled_for_each_group():
    scales = {"adjust_learning_rate": [1.0, 0.5, 0.25]}
    sequence = {"type": "cerebras.SequentialLR", "schedulers": [STEP, LINEAR], "milestones": [8]}
    for nested in (STEP, sequence, {"type": "cerebras.ChainedScheduler", "schedulers": [STEP]}):
        values = values_of({"type": "cerebras.ScalePerParamLR", "scheduler": nested}, **scales)
        np.testing.assert_allclose(values, np.outer(STEPPED, [1.0, 0.5, 0.25]), rtol=1e-12)
    inner = {"type": "cerebras.ScalePerParamLR", "scheduler": STEP}
    with pytest.raises(ValueError, match="ScalePerParam must be the outermost scheduler"):  # its scales would be lost
        values_of({**sequence, "schedulers": [inner, LINEAR]}, **scales)


def test_functions_have_the_names_of_the_page():
    functions = [lambda step: 0.5**step, lambda step: 1.0 + step]
    lambdas = {"type": "cerebras.LambdaLR", "initial_learning_rate": 0.2}
    expected = [0.2 * 0.5**step * (1 + step) for step in range(8)]
    for key in ("set_lr_lambda", "set_value_lambda"):  # the latter is the name of later versions
        assert values_of({**lambdas, key: functions})[:, 0].tolist() == pytest.approx(expected)
    with pytest.raises(
        ValueError, match=r"\['set_lr_lambda'\] must be left out, because 'set_value_lambda' is present"
    ):
        values_of({**lambdas, "set_lr_lambda": functions, "set_value_lambda": functions})
    cyclic = {"type": "cerebras.CyclicLR", "base_lr": 0.0, "max_lr": 1.0, "step_size_up": 2, "step_size_down": 2}
    by_cycle = values_of({**cyclic, "set_scale_fn": lambda cycle: 1 / cycle})
    assert by_cycle[:, 0].tolist() == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25])
    by_step = values_of({**cyclic, "set_scale_fn": lambda step: step / 4, "scale_mode": "iterations"})
    assert by_step[:, 0].tolist() == pytest.approx([0.0, 0.125, 0.5, 0.375, 0.0, 0.625, 1.5, 0.875])
    with pytest.raises(TypeError, match=r"\['set_scale_fn'\] must be a function"):
        values_of({**cyclic, "set_scale_fn": "exp"})


@for_each(("name", "options"), TRIED)
def test_optimizers_train_as_the_page_says(name, options):
    """The whole table of arguments, defaults, formulas and recorded steps is in ``tests/engine``."""
    param = torch.nn.Parameter(torch.linspace(-2.0, 3.0, 6, dtype=torch.float64).reshape(2, 3))
    optimizer = configure_optimizer({"type": f"cerebras.{name}", **options}, [param])
    expected = by_formula(name, options, 1)[0, :6]
    numbers = torch.arange(1, 7, dtype=torch.float64)
    param.grad = torch.sin(1.7 * numbers).reshape(2, 3)
    optimizer.step()
    np.testing.assert_allclose(param.detach().reshape(-1).numpy(), expected, rtol=1e-6)


def test_the_names_of_torch_keep_the_defaults_of_torch():
    params = [torch.nn.Parameter(torch.ones(2))]
    differ = set()
    has_adafactor = hasattr(torch.optim, "Adafactor")  # torch 2.4 has none
    for name in OPTIMIZERS if has_adafactor else OPTIMIZERS.keys() - {"Adafactor"}:
        arguments = arguments_of(OPTIMIZERS[name])
        required = {key: 0.1 for key, default in arguments.items() if default is REQUIRED}
        pages = configure_optimizer(f"cerebras.{name}", params, **required).param_groups[0]
        torchs = configure_optimizer(name, params, **required).param_groups[0]
        differ |= {name for key in arguments if torchs.get(key) != pages[key]}
    assert differ - {"Adafactor"} == {"Adagrad", "Adam", "AdamW", "Adamax", "RAdam", "Rprop"}
    assert ("Adafactor" in differ) is has_adafactor
    weight_decay = {
        name: configure_optimizer(name, params).defaults["weight_decay"] for name in ("AdamW", "cerebras.AdamW")
    }
    assert weight_decay == {"AdamW": 0.01, "cerebras.AdamW": 0.0}


def trained(optimizer):
    for group in optimizer.param_groups:
        for param in group["params"]:
            param.grad = torch.ones_like(param)
    optimizer.step()
    return copy.deepcopy(optimizer.state_dict())


def test_a_state_without_bias_correction_is_not_read_in_silence():
    params = [torch.nn.Parameter(torch.ones(2))]
    without = trained(configure_optimizer("cerebras.AdamW", params, correct_bias=False))
    for name in ("AdamW", "Adam", "cerebras.AdamW", "cerebras.Adam"):
        optimizer = configure_optimizer(name, params)
        before = copy.deepcopy(optimizer.state_dict())
        with pytest.raises(ValueError, match="the state must be a state of"):
            optimizer.load_state_dict(without)
        assert optimizer.state_dict() == before
    for name in ("AdamW", "cerebras.AdamW"):
        with pytest.raises(ValueError, match="correct_bias=False, given one of AdamW with correct_bias=True"):
            configure_optimizer("cerebras.AdamW", params, correct_bias=False).load_state_dict(
                trained(configure_optimizer(name, params))
            )


def test_the_state_before_the_first_step_and_its_names():
    """Counterparts of ``preinitialize``, ``state_names_to_sparsify`` and ``increment_global_step`` of the page."""
    params = [torch.nn.Parameter(torch.ones(2, 3))]
    optimizer = configure_optimizer("cerebras.Adam", params, amsgrad=True)
    assert state_names_to_sparsify(optimizer) == ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
    preinitialize(optimizer)
    assert set(state_names_to_sparsify(optimizer)) <= set(optimizer.state[params[0]])
    for name, wanted in {"SGD": [], "Adagrad": ["sum"], "Lamb": ["exp_avg", "exp_avg_sq"]}.items():
        assert state_names_to_sparsify(configure_optimizer(f"cerebras.{name}", params, lr=0.1)) == wanted
    assert state_names_to_sparsify(configure_optimizer("cerebras.SGD", params, lr=0.1, momentum=0.9)) == [
        "momentum_buffer"
    ]
    with pytest.raises(TypeError, match="optimizer must be one of SGD, Adam"):
        state_names_to_sparsify(torch.optim.LBFGS(params))


PLATEAUS = [
    {"type": "mmagic.ReduceLR", "factor": 0.5, "patience": 0, "cooldown": 3, "by_epoch": False},
    {"type": "torch.ReduceLROnPlateau", "factor": 0.5, "patience": 0, "cooldown": 3},
    {"type": "mmengine.ReduceOnPlateauLR", "factor": 0.5, "patience": 0, "cooldown": 3, "by_epoch": True},
    [  # on top of a schedule that is constant here
        {"type": "mmengine.ReduceOnPlateauLR", "factor": 0.5, "patience": 0, "cooldown": 3, "by_epoch": True},
        {"type": "mmengine.StepLR", "step_size": 100},
    ],
]


@for_each("config", PLATEAUS, [*range(len(PLATEAUS))])
def test_a_plateau_says_whether_it_is_in_cooldown_and_begins_again(config):
    optimizer = make_optimizer()
    scheduler = configure_scheduler(optimizer, config)
    plateau = scheduler.schedule
    rows = []
    losses = [1.0, 2.0, 5.0, 6.0, 7.0]

    def iteration(engine, batch):
        rows.append((round(optimizer.param_groups[0]["lr"], 6), plateau.in_cooldown))
        at = engine.state.iteration - 1
        engine.state.metrics["loss"] = losses[at]
        if at == 2:
            plateau.reset()  # the loss is another one from here on

    trainer = Engine(iteration)
    scheduler.attach(trainer)
    trainer.run([None] * len(losses), max_epochs=1)
    # The first loss after the reset is the best of a new beginning, and the next one reduces again at once.
    assert rows == [(0.1, False), (0.1, False), (0.05, True), (0.05, False), (0.025, True)]
