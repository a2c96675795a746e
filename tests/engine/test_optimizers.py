"""Tests of ``configure_optimizer``: names, wrong arguments, and training with all parameters scheduled at once."""

import builtins
import copy
import inspect
import math
import sys
from itertools import pairwise
from typing import Any

import pytest
import torch
from cases import for_each
from ignite.engine import Engine

from lehr.engine import configure_optimizer, preinitialize
from lehr.engine.optimizer_from_config import LIBRARY
from lehr.handlers import (
    CosineAnnealingScheduler,
    LinearCyclicalScheduler,
    ParamGroupScheduler,
    ParamScheduler,
)

NAMES = list(LIBRARY)
INSTALLED = [name for name in NAMES if name != "Adafactor" or hasattr(torch.optim, name)]  # torch 2.4 lacks Adafactor
STEPS = 20


def make_params(count: int = 2) -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.ones(2, 2) + at) for at in range(count)]


def plain(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**group, "params": len(group["params"])} for group in groups]


@for_each("name", INSTALLED)
def test_an_optimizer_equals_the_one_of_its_class(name):
    import pytorch_optimizer  # its import takes a second

    library = torch.optim if LIBRARY[name] == "torch.optim" else pytorch_optimizer
    kind = getattr(library, name)
    for spelled in (name, name.lower(), name.upper()):
        params = make_params()
        optimizer = configure_optimizer(spelled, params, lr=0.25)
        assert type(optimizer) is kind
        assert plain(optimizer.param_groups) == plain(kind(params, lr=0.25).param_groups)
        assert all(mine is theirs for mine, theirs in zip(optimizer.param_groups[0]["params"], params, strict=True))
    assert plain(configure_optimizer(name, make_params()).param_groups) == plain(kind(make_params()).param_groups)


def test_the_known_names():
    torchs = ["SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Adagrad", "Adadelta", "Adafactor", "ASGD"]
    assert [*torchs, "RMSprop", "Rprop", "Lamb", "Lion"] == NAMES


@pytest.mark.parametrize(
    ("given", "meant"), [("AdamWW", "AdamW"), ("sdg", "SGD"), ("rmsporp", "RMSprop"), ("lino", "Lion")]
)
def test_an_unknown_name_is_refused_with_all_names_and_the_nearest(given, meant):
    with pytest.raises(ValueError, match="optimizer_type must be") as caught:
        configure_optimizer(given, make_params())
    message = str(caught.value)
    assert message.startswith("optimizer_type must be one of 'SGD', 'Adam', ")
    assert message.endswith(f"given {given!r}; did you mean {meant!r}?")
    assert all(repr(name) in message for name in NAMES)


@pytest.mark.parametrize("given", ["", "torch.optim.SGD", "os.system", "LBFGS", "lr_scheduler", "Optimizer", "zzz"])
def test_a_name_is_never_imported_as_a_path(given):
    with pytest.raises(ValueError, match="optimizer_type must be one of"):
        configure_optimizer(given, make_params())


@pytest.mark.parametrize("given", [None, 3, torch.optim.SGD, b"SGD", ["SGD"]])
def test_a_name_must_be_a_string(given):
    with pytest.raises(TypeError, match="optimizer_type must be a string, given"):
        configure_optimizer(given, make_params())


@for_each("name", INSTALLED)
def test_an_unknown_argument_raises_an_error_with_the_known_ones(name):
    own = list(inspect.signature(type(configure_optimizer(name, make_params()))).parameters)[1:]
    with pytest.raises(TypeError) as caught:
        configure_optimizer(name, make_params(), learning_rat=0.1)
    message = str(caught.value)
    assert f"arguments of {name} must be among 'lr', " in message
    assert all(repr(argument) in message for argument in own if argument != "kwargs")
    assert "given 'learning_rat'" in message
    assert "'kwargs'" not in message
    with pytest.raises(TypeError, match="given 'lrr'; did you mean 'lr'?"):
        configure_optimizer(name, make_params(), lrr=0.1)


@for_each("name", INSTALLED)
@pytest.mark.parametrize(
    "wrong",
    [
        {"lr": -1.0},
        {"unknown": 1},
        {"fused": True, "foreach": True},
        {"fused": True, "differentiable": True},
        {"betas": (2.0, 2.0)},
    ],
)
def test_a_generator_is_unread_after_an_error(name, wrong):
    params = make_params()
    generator = iter(params)
    with pytest.raises((TypeError, ValueError)):
        configure_optimizer(name, generator, **wrong)
    with pytest.raises(ValueError, match="must be one of"):
        configure_optimizer("none", generator)
    optimizer = configure_optimizer(name, generator)
    assert optimizer.param_groups[0]["params"] == params


@for_each("name", INSTALLED)
@pytest.mark.parametrize(
    ("value", "error"), [(-1.0, ValueError), ("fast", TypeError), (torch.tensor(-1.0), ValueError)], ids=str
)
def test_a_value_that_the_class_refuses_is_shown(name, value, error):
    with pytest.raises(error, match=rf"arguments of {name} must have values that {name} accepts, given \{{'lr': "):
        configure_optimizer(name, make_params(), lr=value)


@for_each("name", INSTALLED)
def test_groups_keep_their_own_options_and_other_keys(name):
    first, second, third = make_params(3)
    tags, adjust = ["body"], {"factor": 0.5}
    groups = [
        {"params": [first], "tags": tags, "adjust_learning_rate": adjust},
        {"params": iter([second]), "lr": 0.5, "weight_decay": 0.25},
        {"params": third},
    ]
    keys = [set(group) for group in groups]
    optimizer = configure_optimizer(name, groups, lr=0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.5, 0.125]
    assert [group["params"] for group in optimizer.param_groups] == [[first], [second], [third]]
    assert optimizer.param_groups[0]["tags"] is tags
    assert optimizer.param_groups[0]["adjust_learning_rate"] is adjust
    assert optimizer.param_groups[1]["weight_decay"] == 0.25
    assert [set(group) for group in groups] == keys  # a config may be used for another optimizer
    for param in (first, second, third):
        param.grad = torch.ones_like(param)
    preinitialize(optimizer)
    optimizer.step()
    assert optimizer.param_groups[0]["tags"] is tags
    other = configure_optimizer(name, [{"params": make_params(1)}, {"params": make_params(1)}, {"params": [third]}])
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["tags"] == ["body"]


@for_each("name", INSTALLED)
def test_params_may_be_named(name):
    model = torch.nn.Linear(2, 2)
    try:
        torch.optim.SGD(model.named_parameters(), lr=0.1)
    except TypeError:  # torch 2.4
        pytest.skip("the optimizers of this torch take no names")
    optimizer = configure_optimizer(name, model.named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    grouped = configure_optimizer(name, [{"params": model.named_parameters(), "lr": 0.5}], lr=0.1)
    assert grouped.param_groups[0]["param_names"] == ["weight", "bias"]
    assert grouped.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize(
    ("params", "error"), [([], ValueError), (torch.ones(2), TypeError), (None, TypeError), ([3], TypeError)]
)
def test_wrong_params_are_refused_as_in_torch(params, error):
    with pytest.raises(error):
        configure_optimizer("SGD", params, lr=0.1)


@pytest.mark.parametrize("name", ["Lamb", "lion"])
def test_a_missing_library_says_what_to_install(name, monkeypatch):
    def without(module: str, *args: Any, **kwargs: Any) -> Any:
        if module.startswith("pytorch_optimizer"):
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        return original(module, *args, **kwargs)

    original = builtins.__import__
    for module in [module for module in sys.modules if module.split(".")[0] == "pytorch_optimizer"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'lehr\[optimizers\]'"):
        configure_optimizer(name, make_params())
    assert type(configure_optimizer("AdamW", make_params())) is torch.optim.AdamW


def test_an_old_torch_without_the_optimizer_is_an_error(monkeypatch):
    monkeypatch.delattr(torch.optim, "Adafactor", raising=False)
    with pytest.raises(ImportError, match="'Adafactor' needs a later version of torch"):
        configure_optimizer("Adafactor", make_params())


def rise(index: int) -> float:
    return 0.5 + 0.4 * index / STEPS


def schedule_all(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return a scheduler for each hyper-parameter of the optimizer. The two groups have different learning rates."""
    group = optimizer.param_groups[0]
    schedulers: dict[str, Any] = {
        "lr": ParamGroupScheduler(
            [
                LinearCyclicalScheduler(optimizer, "lr", 0.001, 0.02, STEPS, param_group_index=0),
                CosineAnnealingScheduler(optimizer, "lr", 0.01, 0.002, STEPS, param_group_index=1),
            ],
            names=["lr of the body", "lr of the head"],
        )
    }
    if "weight_decay" in group:
        schedulers["weight_decay"] = CosineAnnealingScheduler(optimizer, "weight_decay", 0.1, 0.01, 7)
    if "momentum" in group:
        schedulers["momentum"] = ParamScheduler(optimizer, "momentum", schedule=rise)
    if "betas" in group:
        schedulers["betas[0]"] = ParamScheduler(optimizer, "momentum", schedule=rise)
        schedulers["betas[1]"] = LinearCyclicalScheduler(optimizer, "betas[1]", 0.9, 0.99, 10)
    if "rho" in group:
        schedulers["rho"] = ParamScheduler(optimizer, "rho", schedule=rise)
    return schedulers


def held(group: dict[str, Any], name: str) -> float:
    key, _, item = name.rstrip("]").partition("[")
    return float(group[key][int(item)] if item else group[key])


@pytest.mark.parametrize(
    ("foreach", "prepared"),
    [
        (True, False),
        *(pytest.param(*way, marks=pytest.mark.proof) for way in ((False, False), (False, True), (True, True))),
    ],
)
@for_each("name", INSTALLED)
def test_all_parameters_are_scheduled_at_once(name, foreach, prepared):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    inputs, targets = torch.randn(16, 4), torch.randint(2, (16,))
    groups = [{"params": model[0].parameters()}, {"params": model[2].parameters()}]
    options = {"momentum": 0.5} if name in ("SGD", "RMSprop") else {}
    optimizer = configure_optimizer(name, groups, lr=0.1, foreach=foreach, **options)
    if prepared:
        preinitialize(optimizer)
    schedulers = schedule_all(optimizer)
    expected = {param_name: scheduler.simulate(STEPS) for param_name, scheduler in schedulers.items()}
    assert name == "Rprop" or "weight_decay" in expected
    has_momentum = {"SGD", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Lamb", "Lion"}
    assert bool({"momentum", "betas[0]"} & set(expected)) == (name in has_momentum)
    weights = [copy.deepcopy(model.state_dict())]

    def train(engine: Engine, batch: int) -> float:
        for param_name, values in expected.items():
            at = engine.state.iteration - 1
            for group, value in zip(
                optimizer.param_groups, [*values[at]] * (2 if values.shape[1] == 1 else 1), strict=True
            ):
                assert held(group, param_name) == value, param_name
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        weights.append(copy.deepcopy(model.state_dict()))
        return loss.item()

    trainer = Engine(train)
    for scheduler in schedulers.values():
        scheduler.attach(trainer)
    trainer.run(range(STEPS), max_epochs=1)
    assert len(weights) == STEPS + 1
    for before, after in pairwise(weights):
        changed = {key: not torch.equal(weight, before[key]) for key, weight in after.items()}
        # Rprop does not change weights whose gradients have all changed their signs.
        assert any(changed.values()) if name == "Rprop" else all(changed.values())
        assert all(torch.isfinite(weight).all() for weight in after.values())
    assert not any(torch.equal(weight, weights[0][key]) for key, weight in weights[-1].items())
    assert math.isfinite(trainer.state.output)


@for_each("name", INSTALLED)
@pytest.mark.parametrize("param_name", ["lr", "weight_decay", "momentum", "betas[0]", "betas[1]"])
def test_each_step_reads_the_scheduled_value(name, param_name):
    """The weights differ from the step at which a hyper-parameter differs."""
    group = configure_optimizer(name, make_params()).param_groups[0]
    if param_name.partition("[")[0] in group:
        constant, changed = train_with(name, param_name, None), train_with(name, param_name, 0.25)
        assert constant[:5] == changed[:5]
        # Rprop reads the learning rate only at its first step.
        assert (constant == changed) == ((name, param_name) == ("Rprop", "lr"))


def train_with(name: str, param_name: str, late: float | None) -> list[list[float]]:
    """Return the weights after each step. After five steps, the hyper-parameter has the value ``late``."""
    param = torch.nn.Parameter(torch.linspace(-2.0, 2.0, 20))
    options = {"momentum": 0.5} if name in ("SGD", "RMSprop") else {}
    optimizer = configure_optimizer(name, [param], lr=0.01, **options)
    first = held(optimizer.param_groups[0], param_name)
    scheduler = ParamScheduler(
        optimizer, param_name, schedule=lambda index: first if index < 5 or late is None else late
    )
    generator = torch.Generator().manual_seed(1)
    weights = []
    for step in range(20):
        scheduler(None)
        param.grad = torch.randn(20, generator=generator) / (1 + step)
        optimizer.step()
        weights.append(param.tolist())
    return weights
