"""Tests of writing to param groups: names, items of tuples, tensors, and other optimizers than torch's."""

from types import SimpleNamespace

import pytest
import torch
from cases import for_each
from optimizers import make_optimizer, values_of

from lehr.handlers import OneCycleScheduler, ParamScheduler, PiecewiseLinear
from lehr.handlers.targets.param_groups import ParamGroups


def written(optimizer, name, value, index=None):
    """Write one value, and return the groups."""
    ParamGroups(optimizer, name, index).write(value)
    return optimizer.param_groups


@for_each(
    ("kind", "options", "name", "key", "expected"),
    [
        (torch.optim.SGD, {"momentum": 0.9}, "momentum", "momentum", 0.25),
        (torch.optim.SGD, {}, "weight_decay", "weight_decay", 0.25),
        (torch.optim.SGD, {"lr": 1}, "lr", "lr", 0.25),
        (torch.optim.Adam, {}, "momentum", "betas", (0.25, 0.999)),
        (torch.optim.Adam, {}, "betas[0]", "betas", (0.25, 0.999)),
        (torch.optim.Adam, {}, "betas[1]", "betas", (0.9, 0.25)),
        (torch.optim.Adam, {}, "eps", "eps", 0.25),
        (torch.optim.NAdam, {}, "momentum_decay", "momentum_decay", 0.25),
        (torch.optim.RMSprop, {"momentum": 0.9}, "momentum", "momentum", 0.25),
        (torch.optim.RMSprop, {}, "alpha", "alpha", 0.25),
        (torch.optim.Rprop, {}, "etas[0]", "etas", (0.25, 1.2)),
        (torch.optim.Adagrad, {}, "lr_decay", "lr_decay", 0.25),
        *(
            []
            if not hasattr(torch.optim, "Adafactor")  # as in torch 2.4
            else [
                (torch.optim.Adafactor, {}, "beta2_decay", "beta2_decay", 0.25),
                (torch.optim.Adafactor, {}, "eps[1]", "eps", (None, 0.25)),
            ]
        ),
    ],
)
def test_param_names_of_torchs_optimizers(kind, options, name, key, expected):
    optimizer = kind([torch.nn.Parameter(torch.zeros(2))], **{"lr": 0.1, **options})
    assert written(optimizer, name, 0.25)[0][key] == expected


@pytest.mark.parametrize(("groups", "index"), [(3, None), (3, slice(1, 3)), (70, None), (70, slice(2, 68))])
def test_values_of_groups_are_floats_until_the_groups_hold_tensors(groups, index):
    optimizer = make_optimizer(groups)
    chosen = optimizer.param_groups[index or slice(None)]
    selected = None if index is None else lambda group: any(group is one for one in chosen)
    peaks = [1 / (3 + at) for at in range(len(chosen))]
    scheduler = OneCycleScheduler(optimizer, "lr", peaks, 100, param_group_index=selected)
    expected = scheduler.simulate(100).tolist()
    for event in range(80):
        if event == 70:  # not in the middle of a block
            for group in chosen:
                group["lr"] = torch.tensor(0.0, dtype=torch.float64)
        scheduler(None)
        held = [group["lr"] for group in chosen]
        assert all(type(one) is (float if event < 70 else torch.Tensor) for one in held)
        assert list(map(float, held)) == expected[event]


def test_a_list_of_betas_stays_a_list():
    betas = [0.9, 0.99]
    optimizer = make_optimizer(2, torch.optim.Adam, betas=betas)
    groups = written(optimizer, "betas[0]", [0.1, 0.2])
    assert [list(group["betas"]) for group in groups] == [[0.1, 0.99], [0.2, 0.99]]
    assert betas == [0.9, 0.99]


def test_a_users_own_key_can_be_scheduled():
    optimizer = make_optimizer(2)
    for group in optimizer.param_groups:
        group["temperature"] = 1.0
    assert [group["temperature"] for group in written(optimizer, "temperature", [0.5, 0.25])] == [0.5, 0.25]
    del optimizer.param_groups[1]["temperature"]
    with pytest.raises(ValueError, match="param_name must be one of"):
        ParamGroups(optimizer, "temperature", None)
    assert written(optimizer, "temperature", 0.125, index=0)[0]["temperature"] == 0.125


@pytest.mark.parametrize(
    "name", ["betas[00]", "betas[-1]", "betas[2]", "betas[]", "betas[", "[0]", "params[0]", "amsgrad"]
)
def test_a_name_without_a_number_is_an_error(name):
    optimizer = make_optimizer(2, torch.optim.Adam)
    with pytest.raises(ValueError, match=r"param_name must be one of 'betas\[0\]', 'betas\[1\]', 'eps', 'lr', 'weight"):
        ParamGroups(optimizer, name, None)


def test_a_name_is_found_without_reading_all_entries():
    class Group(dict):
        def items(self):
            raise AssertionError("asked for everything")

    optimizer = SimpleNamespace(param_groups=[Group(lr=0.1, betas=(0.9, 0.99)) for _ in range(2)])
    assert [ParamGroups(optimizer, name, None).key for name in ("lr", "betas[1]", "momentum")] == [
        "lr",
        "betas",
        "betas",
    ]


def test_an_error_names_the_parameter_that_a_group_lacks():
    optimizer = make_optimizer()
    optimizer.param_groups[0]["temperature"] = 1.0
    scheduler = ParamScheduler(optimizer, "temperature", schedule=lambda event: 0.5)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    with pytest.raises(ValueError, match="every param group must have 'temperature', given a group without it"):
        scheduler(None)
    assert scheduler.event_index == 0


def test_any_object_with_param_groups_is_accepted():
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}, {"lr": 0.2}])
    scheduler = ParamScheduler(optimizer, "lr", schedule=lambda event: event / 4)
    scheduler(None), scheduler(None)
    assert values_of(optimizer) == [0.25, 0.25]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (1,)])
def test_tensors_are_filled(dtype, shape):
    tensor = torch.full(shape, 0.5, dtype=dtype)
    optimizer = SimpleNamespace(param_groups=[{"lr": tensor}])
    assert written(optimizer, "lr", 0.25)[0]["lr"] is tensor
    assert tensor.item() == 0.25


def test_a_tensor_that_requires_a_gradient_is_filled_too():
    tensor = torch.tensor(0.5, requires_grad=True)
    assert written(SimpleNamespace(param_groups=[{"lr": tensor}]), "lr", 0.25)[0]["lr"] is tensor
    assert (tensor.item(), tensor.requires_grad, tensor.grad_fn) == (0.25, True, None)


@pytest.mark.parametrize("tensor", [torch.tensor(1), torch.zeros(3), torch.tensor(True)], ids=repr)
def test_only_tensors_of_one_float_can_be_scheduled(tensor):
    with pytest.raises(ValueError, match="param_name must be one of 'momentum', given 'lr'"):
        ParamGroups(SimpleNamespace(param_groups=[{"lr": tensor, "momentum": 0.9}]), "lr", None)


def test_the_optimizers_step_reads_the_filled_tensor():
    """Training with a scheduled tensor lr is training with a scheduled float lr."""
    finals = []
    for lr in (0.1, torch.tensor(0.1, dtype=torch.float64)):
        parameter = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
        optimizer = torch.optim.Adam([parameter], lr=lr, foreach=False)
        scheduler = ParamScheduler(optimizer, "lr", schedule=lambda event: 0.1 / (1 + event))
        for _ in range(10):
            scheduler(None)
            optimizer.zero_grad()
            (parameter**2).sum().backward()
            optimizer.step()
        finals.append(parameter.detach().clone())
    torch.testing.assert_close(finals[0], finals[1], rtol=1e-12, atol=0)


def test_a_group_with_a_tensor_added_in_mid_run_is_filled():
    optimizer = make_optimizer()
    scheduler = ParamScheduler(optimizer, "lr", schedule=lambda event: 0.25)
    scheduler(None)
    tensor = torch.tensor(0.5)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": tensor})
    scheduler(None)
    assert optimizer.param_groups[1]["lr"] is tensor
    assert values_of(optimizer) == [0.25, 0.25]


def test_a_tensor_before_floats_stays_the_same_tensor():
    tensor = torch.tensor(0.5, dtype=torch.float64)
    optimizer = SimpleNamespace(param_groups=[{"lr": tensor}, {"lr": 0.5}, {"lr": 0.5}])
    scheduler = ParamScheduler(optimizer, "lr", schedule=lambda event: event / 8)
    for event in range(4):
        scheduler(None)
        assert optimizer.param_groups[0]["lr"] is tensor
        assert values_of(optimizer) == [event / 8] * 3


def test_a_tensor_shared_by_some_groups_is_refused_at_construction():
    shared = torch.tensor(0.5)
    optimizer = SimpleNamespace(param_groups=[{"lr": torch.tensor(0.5)}, {"lr": shared}, {"lr": shared}, {"lr": 0.5}])
    with pytest.raises(ValueError, match="their own tensor 'lr' to have different values"):
        OneCycleScheduler(optimizer, "lr", [0.1, 0.2, 0.3, 0.4], total_steps=10)
    with pytest.raises(ValueError, match="their own tensor 'lr' to have different values"):
        PiecewiseLinear(optimizer, "lr", [(0, 0.25)], param_group_index=2)
    PiecewiseLinear(optimizer, "lr", [(0, 0.25)], param_group_index=0)(None)
    assert values_of(optimizer) == [0.25, 0.5, 0.5, 0.5]
    PiecewiseLinear(optimizer, "lr", [(0, 0.125)])(None)
    assert values_of(optimizer) == [0.125] * 4


def test_the_entry_params_is_not_a_hyper_parameter():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(ValueError, match=r"given 'params\[0\]'") as error:
        ParamGroups(optimizer, "params[0]", None)
    assert "'params" not in str(error.value).split("given")[0]


def test_momentum_means_momentum_if_a_group_has_one():
    group = {"momentum": 0.5, "betas": (0.9, 0.99)}
    assert written(SimpleNamespace(param_groups=[group]), "momentum", 0.25)[0] == {
        "momentum": 0.25,
        "betas": (0.9, 0.99),
    }


def test_a_replaced_group_with_a_tensor_is_noticed():
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.5}, {"lr": 0.5}])
    scheduler = ParamScheduler(optimizer, "lr", schedule=lambda event: 1 / (1 + event))
    scheduler(None), scheduler(None)
    tensor = torch.tensor(0.5, dtype=torch.float64)
    optimizer.param_groups = [{"lr": tensor}, {"lr": 0.5}]
    scheduler(None)
    assert optimizer.param_groups[0]["lr"] is tensor
    assert values_of(optimizer) == [1 / 3] * 2
