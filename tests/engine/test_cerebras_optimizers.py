"""Tests of the optimizers of Cerebras: arguments, defaults, updates and saved states."""

import copy
import io
import json
import math
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import for_each
from cerebras_page import FORMULAS, OPTIMIZERS, REQUIRED, TRIED, arguments_of, by_formula, gradient, starts

from lehr.engine import configure_optimizer, preinitialize, state_names_to_sparsify
from lehr.handlers import ParamScheduler
from lehr.handlers.schedules import Anneal

RECORDED = json.loads((Path(__file__).parent.parent / "golden" / "cerebras_optimizers.json").read_text())
STEPS = 8
# torch 2.4 has no Adafactor, and its states do not tell whether they come from Adam or AdamW.
HAS_ADAFACTOR = hasattr(torch.optim, "Adafactor")
TELLS_ADAM_FROM_ADAMW = "decoupled_weight_decay" in torch.optim.Adam([torch.zeros(1)]).defaults
OF_TORCH = [name for name in OPTIMIZERS if name != "Lamb" and (name != "Adafactor" or HAS_ADAFACTOR)]
FLOAT32_COUNTS = ("ASGD", "NAdam")  # torch makes their single numbers in float32 for parameters of any dtype
OWN = [(name, options) for name, options in TRIED if name in ("Adam", "AdamW", "Adafactor", "Lamb", "SGD")]


def make_params(dtype: torch.dtype = torch.float64) -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.tensor(start, dtype=dtype)) for start in starts()]


def make(name: str, options: dict[str, Any], dtype: torch.dtype = torch.float64) -> torch.optim.Optimizer:
    return configure_optimizer({"type": f"cerebras.{name}", **options}, make_params(dtype))


def params_of(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [param for group in optimizer.param_groups for param in group["params"]]


def train(optimizer: torch.optim.Optimizer, first: int, last: int) -> np.ndarray:
    """Make steps, and return all parameters after each step: ``(steps, 9)``."""
    rows = []
    for step in range(first, last):
        for param in params_of(optimizer):
            param.grad = torch.tensor(gradient(tuple(param.shape), step), dtype=param.dtype)
        optimizer.step()
        rows.append(torch.cat([param.detach().reshape(-1) for param in params_of(optimizer)]).double().numpy())
    return np.array(rows)


@for_each(("name", "options"), TRIED)
def test_updates_equal_the_formulas(name, options):
    tolerance = {"rtol": 1e-6, "atol": 1e-7} if name in FLOAT32_COUNTS else {"rtol": 1e-12}
    np.testing.assert_allclose(train(make(name, options), 0, STEPS), by_formula(name, options, STEPS), **tolerance)


SHAPED = {
    "a number": np.array(0.7),
    "zeros": np.zeros(3),
    "far": np.full((3, 4), 20.0),  # with a norm above 10
    "near zero": np.linspace(-1e-5, 1e-5, 4),
    "three dimensions": np.linspace(-1.0, 2.0, 12).reshape(2, 2, 3),
}


@for_each("kind", SHAPED)
@for_each(("name", "options"), OWN)
def test_parameters_of_any_shape_and_size_follow_the_formulas(name, options, kind):
    expected, state = SHAPED[kind], {}
    optimizer = configure_optimizer(f"cerebras.{name}", [torch.nn.Parameter(torch.tensor(expected))], **options)
    for step, row in enumerate(train(optimizer, 0, 4)):
        arguments = {**arguments_of(OPTIMIZERS[name]), **options}
        expected = FORMULAS[name](expected, gradient(expected.shape, step), step + 1, state, arguments)
        np.testing.assert_allclose(row, np.asarray(expected).reshape(-1), rtol=1e-12)


@for_each("case", RECORDED, [case["id"] for case in RECORDED])
def test_updates_equal_recorded_updates_of_cerebras(case):
    """The expected updates were recorded from cerebras-pytorch 2.10.0 in float32."""
    kwargs = {key: tuple(value) if isinstance(value, list) else value for key, value in case["kwargs"].items()}
    mine, theirs = train(make(case["class"], kwargs, torch.float32), 0, STEPS), np.array(case["values"])
    if case["class"] == "NAdam":  # there the product of the next step has one factor twice, unlike in the paper
        assert not np.allclose(mine, theirs, rtol=1e-3)
        np.testing.assert_allclose(mine, by_formula("NAdam", kwargs, STEPS), rtol=3e-5, atol=1e-6)
    else:
        np.testing.assert_allclose(mine, theirs, rtol=3e-5, atol=1e-6)


@for_each("name", OPTIMIZERS)
def test_arguments_and_defaults_equal_the_documentation(name):
    arguments = arguments_of(OPTIMIZERS[name])
    required = {key: 0.1 for key, default in arguments.items() if default is REQUIRED}
    if required:
        with pytest.raises(TypeError, match=f"arguments of cerebras.{name} must include 'lr', given"):
            configure_optimizer(f"cerebras.{name}", make_params())
    optimizer = configure_optimizer(f"CEREBRAS.{name.lower()}", make_params(), **required)
    group = optimizer.param_groups[0]
    assert {key: group[key] for key in arguments} == {**arguments, **required}
    everything = configure_optimizer({"type": f"cerebras.{name}", **arguments, **required}, make_params())
    assert [*everything.param_groups[0]] == [*group]
    with pytest.raises(TypeError, match=f"arguments of cerebras.{name} must be among 'lr', .*given 'learning_rate'"):
        configure_optimizer(f"cerebras.{name}", make_params(), learning_rate=0.1)


def test_names_without_a_prefix_mean_torchs_classes():
    for name in OF_TORCH:
        optimizer = configure_optimizer({"type": name}, make_params())
        assert type(optimizer) is getattr(torch.optim, name)
        assert optimizer.defaults == getattr(torch.optim, name)(make_params()).defaults


def test_an_argument_that_only_cerebras_has_is_refused_with_its_name():
    for name, argument in [("AdamW", "correct_bias"), ("Adafactor", "clip_threshold"), ("Adafactor", "relative_step")]:
        if name in OF_TORCH:
            with pytest.raises(TypeError, match=f"given '{argument}'; 'cerebras.{name}' has it") as caught:
                configure_optimizer(name, make_params(), **{argument: 1})
            assert len(str(caught.value)) <= 500


WRONG: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("AdamW", {"lr": -1.0}, ValueError, "lr must be at least 0, given -1.0"),
    ("AdamW", {"lr": float("nan")}, ValueError, "lr must be at least 0, given nan"),
    ("AdamW", {"lr": math.inf}, ValueError, "lr must be finite, given inf"),
    ("AdamW", {"lr": True}, TypeError, "lr must be a number, given True"),
    ("AdamW", {"eps": {}}, TypeError, "eps must be a number, given {}"),
    ("SGD", {"lr": 0.1, "dampening": math.nan}, ValueError, "dampening must be finite, given nan"),
    ("SGD", {"lr": 0.1, "dampening": "half"}, TypeError, "dampening must be a number, given 'half'"),
    ("RMSprop", {"lr": "fast"}, TypeError, "lr must be a number, given 'fast'"),  # one of torch's classes
    ("ASGD", {"t0": None}, TypeError, "t0 must be a number, given None"),
    ("Rprop", {"step_sizes": (1.0,)}, TypeError, "step_sizes must be two numbers"),
    ("Rprop", {"step_sizes": (5.0, 1.0)}, ValueError, "step_sizes must be the least size and then the largest size"),
    ("AdamW", {"lr": "fast"}, TypeError, "lr must be a number, given 'fast'"),
    ("AdamW", {"lr": None}, TypeError, "lr must be a number, given None"),
    ("AdamW", {"betas": 0.9}, TypeError, "betas must be two numbers, given 0.9"),
    ("AdamW", {"betas": (0.9, 1.0)}, ValueError, "betas must be at least 0 and less than 1"),
    ("AdamW", {"eps": (1.0, 2.0)}, TypeError, "eps must be a number"),
    ("AdamW", {"correct_bias": "no"}, TypeError, "correct_bias must be True or False, given 'no'"),
    ("Adam", {"correct_bias": False}, TypeError, "must be among .*given 'correct_bias'"),
    ("Lamb", {"weight_decay": -0.1}, ValueError, "weight_decay must be at least 0, given -0.1"),
    ("SGD", {"lr": 0.1, "nesterov": True}, ValueError, "nesterov must be False without momentum"),
    ("SGD", {"lr": 0.1, "momentum": -0.1}, ValueError, "momentum must be at least 0"),
    (
        "Adafactor",
        {"lr": None},
        ValueError,
        "lr must be None with relative_step=True, and a number with relative_step=False",
    ),
    ("Adafactor", {"lr": 0.1, "relative_step": True}, ValueError, "lr must be None with relative_step=True"),
    ("Adafactor", {"lr": 0.1, "warmup_init": True}, ValueError, "warmup_init must be False if relative_step is"),
    ("Adafactor", {"lr": 0.1, "eps": 1e-3}, TypeError, "eps must be two numbers, given 0.001"),
    ("Adafactor", {"lr": 0.1, "clip_threshold": 0.0}, ValueError, "clip_threshold must be more than 0"),
    ("Adafactor", {"lr": 0.1, "decay_rate": 0.8}, ValueError, "decay_rate must be at most 0, given 0.8"),
    ("Adafactor", {"lr": 0.1, "decay_rate": -math.inf}, ValueError, "decay_rate must be finite, given -inf"),
    ("Adafactor", {"lr": 0.1, "beta1": 1.0}, ValueError, "beta1 must be at least 0 and less than 1"),
]


@for_each(("name", "options", "error", "message"), WRONG)
def test_a_wrong_argument_is_refused(name, options, error, message):
    with pytest.raises(error, match=message) as caught:
        make(name, options)
    assert len(str(caught.value)) <= 500


@for_each(("name", "options"), OWN)
def test_a_wrong_option_of_a_group_is_refused_and_changes_nothing(name, options):
    optimizer = make(name, options)
    with pytest.raises(ValueError, match="weight_decay must be at least 0"):
        optimizer.add_param_group({"params": make_params(), "weight_decay": -1.0})
    with pytest.raises(TypeError, match=f"params of {name} must be real, given torch.complex64"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1, dtype=torch.complex64))]})
    assert len(optimizer.param_groups) == 1


def test_a_wrong_option_of_a_group_of_torchs_class_is_refused():
    for value, error in (("fast", TypeError), (None, TypeError), (math.inf, ValueError)):
        with pytest.raises(error, match="lr must be"):
            configure_optimizer("cerebras.RAdam", [{"params": make_params(), "lr": value}])


def test_wrong_names_and_mappings_are_refused():
    with pytest.raises(
        ValueError, match=r"one of 'cerebras.ASGD', .*given 'cerebras.AdmW'; did you mean 'cerebras.AdamW'"
    ):
        configure_optimizer("cerebras.AdmW", make_params())
    for abstract in ("cerebras.Optimizer", "cerebras.AdamBase", "cerebras."):
        with pytest.raises(ValueError, match="optimizer_type must be one of 'cerebras.ASGD'") as caught:
            configure_optimizer(abstract, make_params())
        assert len(str(caught.value)) <= 500
    with pytest.raises(TypeError, match=r"optimizer_type\['type'\] must be a string, given None"):
        configure_optimizer({"lr": 0.1}, make_params())
    with pytest.raises(ValueError, match="lr must be set once, given in optimizer_type and as an argument"):
        configure_optimizer({"type": "AdamW", "lr": 0.1}, make_params(), lr=0.2)


def test_a_config_is_not_changed_and_its_lists_are_pairs():
    config = {"type": "cerebras.AdamW", "betas": [0.8, 0.9]}
    optimizer = configure_optimizer(config, make_params(), lr=0.5)
    assert config == {"type": "cerebras.AdamW", "betas": [0.8, 0.9]}
    assert optimizer.param_groups[0]["betas"] == (0.8, 0.9)
    assert optimizer.param_groups[0]["lr"] == 0.5


@for_each(("name", "options"), TRIED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_training_continues_bit_for_bit_from_a_saved_state(name, options, dtype):
    if name in FLOAT32_COUNTS and dtype != torch.float32:
        return  # torch converts these numbers to the type of the parameter
    optimizer = make(name, options, dtype)
    train(optimizer, 0, 4)
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    resumed = make(name, options, dtype)
    with torch.no_grad():
        for mine, theirs in zip(params_of(resumed), params_of(optimizer), strict=True):
            mine.copy_(theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed.load_state_dict(torch.load(file, weights_only=True))
    assert np.array_equal(train(resumed, 4, STEPS), train(optimizer, 4, STEPS))


@for_each(("name", "options"), OWN)
def test_copies_train_alike(name, options):
    optimizer = make(name, options)
    train(optimizer, 0, 2)
    copies = [copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
    expected = train(optimizer, 2, 5)
    for one in copies:
        assert np.array_equal(train(one, 2, 5), expected)


@for_each(("name", "options"), TRIED)
def test_preinitialize_changes_no_step(name, options):
    optimizer, reference = make(name, options), make(name, options)
    preinitialize(optimizer)
    names = {key for state in optimizer.state.values() for key in state}
    assert set(state_names_to_sparsify(reference)) <= names
    assert np.array_equal(train(optimizer, 0, 4), train(reference, 0, 4))
    assert names == {key for state in reference.state.values() for key in state}


@for_each(("name", "options"), TRIED)
def test_state_names_to_sparsify_returns_states_of_the_parameters_shape(name, options):
    optimizer = make(name, options)
    names = state_names_to_sparsify(optimizer)
    train(optimizer, 0, 1)
    vector = params_of(optimizer)[1]
    assert names == sorted(key for key, value in optimizer.state[vector].items() if value.shape == vector.shape)


@for_each(("name", "options"), OWN)
def test_a_step_calls_its_closure_and_hooks_and_refuses_sparse_gradients(name, options):
    optimizer = make(name, options)
    calls: list[str] = []

    def closure() -> str:
        assert torch.is_grad_enabled()
        calls.append("closure")
        for param in params_of(optimizer):
            param.grad = torch.ones_like(param)
        return "loss"

    optimizer.register_step_pre_hook(lambda *args: calls.append("before"))
    optimizer.register_step_post_hook(lambda *args: calls.append("after"))
    assert optimizer.step(closure) == "loss"
    assert calls == ["before", "closure", "after"]
    before = [param.detach().clone() for param in params_of(optimizer)]
    optimizer.zero_grad()
    optimizer.step()
    assert all(torch.equal(param, old) for param, old in zip(params_of(optimizer), before, strict=True))
    params_of(optimizer)[0].grad = torch.ones_like(params_of(optimizer)[0]).to_sparse()
    with pytest.raises(RuntimeError, match=f"gradients of {name} must not be sparse"):
        optimizer.step()


@for_each(("name", "options"), [case for case in OWN if not case[1].get("relative_step")])
def test_each_step_uses_the_scheduled_value(name, options):
    """The learning rate of each step is the scheduled value, whether it is a float or a tensor."""
    optimizer, tensor = make(name, options), make(name, {**options, "lr": torch.tensor(0.1, dtype=torch.float64)})
    expected = []
    for one in (optimizer, tensor):
        scheduler = ParamScheduler(one, "lr", schedule=Anneal(0.1, 0.0, STEPS))
        rows = []
        for step in range(STEPS):
            scheduler(None)
            rows.append(train(one, step, step + 1)[0])
        expected.append(np.array(rows))
    np.testing.assert_allclose(expected[0], expected[1], rtol=1e-12)
    assert not np.allclose(expected[0][-1], by_formula(name, {**options, "lr": 0.1}, STEPS)[-1], rtol=1e-6)


def test_the_bias_is_corrected_by_the_betas_of_each_step():
    """If the gradient is constant, the corrected moments are equal to the gradient, for any betas."""
    param = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = configure_optimizer("cerebras.AdamW", [param], lr=1.0, eps=0.0)
    scheduler = ParamScheduler(optimizer, "betas[0]", schedule=Anneal(0.9, 0.3, 6))
    for step in range(6):
        scheduler(None)
        param.grad = torch.full_like(param, 2.0)
        optimizer.step()
        np.testing.assert_allclose(param.detach().numpy(), -(step + 1.0), rtol=1e-12)


def saved(name: str, **options: Any) -> dict[str, Any]:
    """Return the state of an optimizer after three steps."""
    optimizer = configure_optimizer(name, make_params(), **{"lr": 0.1, **options})
    train(optimizer, 0, 3)
    return optimizer.state_dict()


def of_hugging_face(state: dict[str, Any], step: int = 3) -> dict[str, Any]:
    """Return the state of cerebras.AdamW in the form of Hugging Face's AdamW."""
    for group in state["param_groups"]:
        del group["amsgrad"]
    for one in state["state"].values():
        one["step"] = step
        for key in ("beta1_product", "beta2_product"):
            one.pop(key, None)
    return state


def without(key: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return a state without one tensor of the last parameter."""
    del state["state"][1][key]
    return state


REFUSED = [
    (
        "cerebras.AdamW",
        {},
        without("exp_avg_sq", saved("cerebras.AdamW")),
        r"with \['beta1_product', .*given one with \[",
    ),
    (
        "cerebras.Lamb",
        {},
        without("exp_avg", saved("cerebras.Lamb")),
        r"with \['exp_avg', .*given one with \['exp_avg_sq'",
    ),
    ("AdamW", {}, saved("cerebras.AdamW", correct_bias=False), "AdamW, given one of an AdamW with correct_bias=False"),
    ("AdamW", {}, saved("cerebras.AdamW"), "given one of an Adam or AdamW of Cerebras"),
    ("Adam", {}, saved("cerebras.Adam"), "given one of an Adam or AdamW of Cerebras"),
    ("AdamW", {}, of_hugging_face(saved("cerebras.AdamW", correct_bias=False)), "AdamW with correct_bias=False"),
    ("AdamW", {}, saved("cerebras.Lamb"), "given one of the Lamb of Cerebras"),
    ("Lamb", {}, saved("cerebras.Lamb"), "given one of an optimizer without the option"),
    ("cerebras.AdamW", {}, saved("cerebras.AdamW", correct_bias=False), "given one of AdamW with correct_bias=False"),
    ("cerebras.AdamW", {"correct_bias": False}, saved("cerebras.AdamW"), "given one of AdamW with correct_bias=True"),
    ("cerebras.AdamW", {"correct_bias": False}, saved("AdamW"), "given one of AdamW with correct_bias=True"),
    ("cerebras.AdamW", {}, saved("cerebras.Adam"), "given one without the option 'correct_bias'"),
    ("cerebras.AdamW", {}, saved("cerebras.Lamb"), "given one without the option 'correct_bias'"),
    (
        "cerebras.Adam",
        {},
        saved("cerebras.AdamW"),
        "given one of AdamW, whose weight decay is not part of the gradient",
    ),
    ("cerebras.Lamb", {}, saved("Lamb"), "given one with the option 'grad_averaging'"),
    ("cerebras.Lamb", {}, saved("cerebras.AdamW"), "given one without the option 'adam'"),
    ("Adam", {}, saved("NAdam"), "given one of an optimizer with the option 'momentum_decay'"),
    ("Adam", {}, saved("RAdam"), "given one of an optimizer without the option 'amsgrad'"),
    ("AdamW", {}, saved("SGD", momentum=0.9), "given one of an optimizer with the option 'dampening'"),
    ("RAdam", {}, saved("Adamax"), "given one of an optimizer with the state 'exp_inf'"),
    ("cerebras.Adamax", {}, saved("RAdam"), "given one of an optimizer without the state 'exp_inf'"),
    ("cerebras.RMSprop", {}, saved("Adagrad"), "given one of an optimizer with the option 'initial_accumulator_value'"),
    ("cerebras.SGD", {}, saved("AdamW"), "given one without the option 'dampening'"),
]
if TELLS_ADAM_FROM_ADAMW:
    REFUSED += [
        ("cerebras.AdamW", {}, saved("Adam"), "given one of Adam, whose weight decay is part of the gradient"),
        ("cerebras.Adam", {}, saved("AdamW"), "given one of AdamW, whose weight decay is not part of the gradient"),
    ]
if HAS_ADAFACTOR:
    REFUSED += [
        ("Adafactor", {}, saved("cerebras.Adafactor"), "given one of the Adafactor of Cerebras or Hugging Face"),
        ("cerebras.Adafactor", {}, saved("Adafactor"), "given one without the option 'beta1'"),
    ]


@for_each(("name", "options", "state", "message"), REFUSED, [f"{at} {case[0]}" for at, case in enumerate(REFUSED)])
def test_a_state_of_another_update_rule_is_refused(name, options, state, message):
    optimizer = configure_optimizer(name, make_params(), **{"lr": 0.5, **options})
    with pytest.raises(ValueError, match=message) as caught:
        optimizer.load_state_dict(copy.deepcopy(state))
    assert len(str(caught.value)) <= 500
    assert not optimizer.state
    assert optimizer.param_groups[0]["lr"] == 0.5  # nothing is loaded


def damaged(state: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return a state in which an option, or an entry of the last parameter's state, has another value."""
    state = copy.deepcopy(state)
    (state["param_groups"][0] if key in state["param_groups"][0] else state["state"][1])[key] = value
    return state


NONE_AT_ALL = [None, 3, {}, [], {"state": {}}, {"state": None, "param_groups": []}, {"state": {}, "param_groups": [3]}]
NONE_AT_ALL += [{"state": {0: None}, "param_groups": []}, {"state": {}, "param_groups": [{"lr": 0.1}]}]


@for_each(("name", "options"), OWN)
def test_a_damaged_state_is_refused_and_changes_nothing(name, options):
    given = {"lr": 0.1, **options}
    optimizer = configure_optimizer(f"cerebras.{name}", make_params(), **given)
    train(optimizer, 0, 3)
    state, now = copy.deepcopy(optimizer.state_dict()), str(optimizer.state_dict())
    bad = [*NONE_AT_ALL, damaged(state, "weight_decay", math.nan), damaged(state, "weight_decay", "x")]
    bad += [damaged(state, "amsgrad", "x")] if "amsgrad" in optimizer.defaults else []
    for key, value in state["state"].get(1, {}).items():
        bad += [damaged(state, key, other) for other in ("x", None, torch.ones(7))]
        bad += [damaged(state, key, other) for other in (math.nan, 10**400)] if value.dim() == 0 else []
    for one in bad:
        with pytest.raises((TypeError, ValueError), match="state") as caught:
            optimizer.load_state_dict(one)
        assert len(str(caught.value)) <= 500
        assert str(optimizer.state_dict()) == now


WARNED = [
    ("cerebras.AdamW", saved("AdamW"), "cerebras.AdamW loads a state of .* adds eps"),
    ("cerebras.Adam", saved("Adam"), "cerebras.Adam loads a state of .* adds eps"),
    ("AdamW", of_hugging_face(saved("cerebras.AdamW")), "adds eps before it corrects the bias"),
]
if TELLS_ADAM_FROM_ADAMW:
    WARNED += [
        ("AdamW", saved("Adam", weight_decay=0.1), "decoupled_weight_decay=False, here it is True"),
        ("Adam", saved("AdamW"), "decoupled_weight_decay=True, here it is False"),
    ]


@for_each(("name", "state", "message"), WARNED, [f"{at} {case[0]}" for at, case in enumerate(WARNED)])
def test_a_state_of_a_similar_update_rule_is_loaded_with_a_warning(name, state, message):
    optimizer = configure_optimizer(name, make_params(), lr=0.5)
    with pytest.warns(UserWarning, match=message) as caught:
        optimizer.load_state_dict(copy.deepcopy(state))
    assert [warning.filename for warning in caught] == [__file__]
    assert train(optimizer, 3, 4).shape == (1, 9)
    if name != "Adam":  # Adam continues with the decoupled weight decay of the state
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            configure_optimizer(name, make_params(), lr=0.5).load_state_dict(optimizer.state_dict())


def test_groups_with_and_without_bias_correction_must_keep_their_order():
    def mixed(*corrected: bool) -> torch.optim.Optimizer:
        groups = [{"params": [param], "correct_bias": one} for param, one in zip(make_params(), corrected, strict=True)]
        return configure_optimizer("cerebras.AdamW", groups, lr=0.1)

    unbroken, resumed = mixed(True, False), mixed(True, False)
    train(unbroken, 0, 3), train(resumed, 0, 3)
    state = copy.deepcopy(unbroken.state_dict())
    resumed.load_state_dict(copy.deepcopy(state))
    assert (train(unbroken, 3, 6) == train(resumed, 3, 6)).all()
    with pytest.raises(ValueError, match="AdamW with correct_bias=False, given one of AdamW with correct_bias=True"):
        mixed(False, True).load_state_dict(state)


def test_a_users_own_keys_in_a_group_are_accepted():
    def make_with_key() -> torch.optim.Optimizer:
        return configure_optimizer("AdamW", [{"params": make_params(), "alpha": 0.5, "tags": ["a"]}], lr=0.1)

    optimizer = make_with_key()
    train(optimizer, 0, 1)
    make_with_key().load_state_dict(optimizer.state_dict())


def test_torchs_classes_refuse_a_state_without_bias_correction():
    with pytest.raises(KeyError, match="step"):
        torch.optim.AdamW(make_params()).load_state_dict(saved("cerebras.AdamW", correct_bias=False))


@for_each("name", OF_TORCH)
def test_a_state_of_torch_is_loaded_without_a_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        configure_optimizer(name, make_params(), lr=0.1).load_state_dict(saved(name))


@for_each(("name", "options"), [("AdamW", {}), ("AdamW", {"correct_bias": False}), ("AdamW", {"weight_decay": 0.1})])
def test_a_state_of_hugging_faces_adamw_is_loaded(name, options):
    """A state of Hugging Face's AdamW has steps instead of products, and no ``amsgrad``."""
    reference = make(name, options)
    train(reference, 0, 3)
    resumed = make(name, options)
    with torch.no_grad():
        for mine, theirs in zip(params_of(resumed), params_of(reference), strict=True):
            mine.copy_(theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed.load_state_dict(of_hugging_face(copy.deepcopy(reference.state_dict())))
    np.testing.assert_allclose(train(resumed, 3, STEPS), train(reference, 3, STEPS), rtol=1e-12)


def of_cerebras(state: dict[str, Any], is_adam: bool) -> dict[str, Any]:
    """Return the state of cerebras.Adam or cerebras.AdamW in the form of Cerebras, with powers for the next step."""
    for group in state["param_groups"]:
        decay = group["weight_decay"] if is_adam else 0.0
        group.update(l2_regularization_rate=decay, weight_decay=0.0 if is_adam else group["weight_decay"])
        group.setdefault("correct_bias", True)
    for one in state["state"].values():
        for name, beta in zip(("beta1", "beta2"), group["betas"], strict=True):
            one[f"{name}_power"] = (one.pop(f"{name}_product") * beta).float()
    return state


@for_each("name", ["Adam", "AdamW"])
def test_a_checkpoint_of_cerebras_is_loaded(name):
    reference = make(name, {"weight_decay": 0.1})
    train(reference, 0, 3)
    resumed = make(name, {"weight_decay": 0.1})
    with torch.no_grad():
        for mine, theirs in zip(params_of(resumed), params_of(reference), strict=True):
            mine.copy_(theirs)
    state = of_cerebras(copy.deepcopy(reference.state_dict()), name == "Adam")
    resumed.load_state_dict(state)
    np.testing.assert_allclose(train(resumed, 3, STEPS), train(reference, 3, STEPS), rtol=1e-6, atol=1e-7)
    other = make({"Adam": "AdamW", "AdamW": "Adam"}[name], {})
    with pytest.raises(ValueError, match="the state must be a state of cerebras.* another update rule"):
        other.load_state_dict(state)


@for_each(("name", "options"), [("AdamW", {"amsgrad": True}), ("Adafactor", {"beta1": 0.9}), ("Lamb", {})])
def test_a_step_is_compiled_once(name, options):
    """The learning rate is a tensor, to which a schedule may write without another compilation."""
    from torch._dynamo.testing import CompileCounter  # its import takes a second

    torch._dynamo.reset()
    counter = CompileCounter()
    optimizers = [make(name, {**options, "lr": torch.tensor(0.1, dtype=torch.float64)}) for _ in range(2)]
    compiled, plain = optimizers
    preinitialize(compiled)
    steps = [torch.compile(lambda: compiled.step(), backend=counter), plain.step]
    for at in range(4):
        for optimizer, step in zip(optimizers, steps, strict=True):
            optimizer.param_groups[0]["lr"].fill_(0.1 / (at + 1))
            for param in params_of(optimizer):
                param.grad = torch.tensor(gradient(tuple(param.shape), at))
            step()
    assert counter.frame_count == 1
    assert all(torch.equal(*pair) for pair in zip(*map(params_of, optimizers), strict=True))
