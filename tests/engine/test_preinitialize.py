"""Tests of ``preinitialize``: it makes the whole state of an optimizer, and does not change training."""

import copy
import io
from typing import Any

import pytest
import torch
from cases import for_each
from torch.optim import optimizer as torch_optimizer

from lehr.engine import configure_optimizer, preinitialize
from lehr.engine.optimizer_from_config import LIBRARY

# The options with which each optimizer is tested, combined with all implementations of the optimizer.
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"momentum": 0.9, "maximize": True},
        {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
        {"momentum": 0.9, "dampening": 0.3, "maximize": True},
    ],
    "Adam": [{}, {"amsgrad": True, "weight_decay": 0.1}, {"maximize": True, "decoupled_weight_decay": True}],
    "AdamW": [{}, {"amsgrad": True}, {"maximize": True, "betas": (0.0, 0.5)}],
    "Adamax": [{}, {"weight_decay": 0.1, "maximize": True}],
    "NAdam": [{}, {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"momentum_decay": 0.5, "maximize": True}],
    "RAdam": [{}, {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"betas": (0.5, 0.6), "maximize": True}],
    "Adagrad": [{}, {"lr_decay": 0.1, "weight_decay": 0.1}, {"initial_accumulator_value": 0.5, "maximize": True}],
    "Adadelta": [{}, {"rho": 0.5, "weight_decay": 0.1, "maximize": True}],
    "Adafactor": [{}, {"weight_decay": 0.1, "maximize": True}],
    "ASGD": [{}, {"t0": 2.0, "lambd": 0.1, "weight_decay": 0.1}, {"t0": 0.0, "maximize": True}],
    "RMSprop": [
        {},
        {"momentum": 0.9},
        {"centered": True, "weight_decay": 0.1},
        {"momentum": 0.9, "centered": True, "maximize": True},
    ],
    "Rprop": [{}, {"etas": (0.4, 1.5), "step_sizes": (0.3, 0.4)}, {"maximize": True}],
    "Lamb": [
        {},
        {"weight_decay": 0.1},
        {"weight_decay": 0.1, "weight_decouple": False},
        {"rectify": True, "degenerated_to_sgd": True},
        {"pre_norm": True, "maximize": True},
        {"adam": True, "grad_averaging": False},
    ],
    "Lion": [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "weight_decouple": False}, {"maximize": True}],
}
if not hasattr(torch.optim, "Adafactor"):  # torch 2.4
    del OPTIONS["Adafactor"]
    del OPTIONS["Adam"][-1]["decoupled_weight_decay"]
HAVE_FUSED = ("SGD", "Adam", "AdamW", "Adagrad")
CASES = [
    (name, {**options, **implementation})
    for name, several in OPTIONS.items()
    for options in several
    for implementation in [{"foreach": False}, {"foreach": True}, *([{"fused": True}] if name in HAVE_FUSED else [])]
]
# One case for each optimizer, for tests that do not depend on the implementation.
ONE_EACH = [(name, several[1 % len(several)]) for name, several in OPTIONS.items()]
REPORTED = {"weight_norm", "adam_norm", "trust_ratio"}  # Lamb makes new tensors for these at each step
# The parameters that get a gradient from the third step on, that never get a gradient, and that need no gradient.
LATE, NEVER, FROZEN = 2, 4, 5


def make_params(dtype: torch.dtype = torch.float32) -> list[torch.nn.Parameter]:
    """Return different parameters of several shapes, with zeros of both signs."""
    generator = torch.Generator().manual_seed(1)
    shapes = [(3, 4), (5,), (2, 3), (), (4,), (2, 2)]
    params = [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]
    params[0][0, :2] = torch.tensor([0.0, -0.0])
    params.append(torch.randn(4, 3, 2, 2, generator=generator, dtype=dtype).to(memory_format=torch.channels_last))
    return [torch.nn.Parameter(param, requires_grad=at != FROZEN) for at, param in enumerate(params)]


def make_optimizer(name: str, options: dict[str, Any], dtype: torch.dtype = torch.float32) -> torch.optim.Optimizer:
    """Return an optimizer with two groups of different learning rates."""
    params = make_params(dtype)
    return configure_optimizer(name, [{"params": params[:3]}, {"params": params[3:], "lr": 0.02}], lr=0.05, **options)


def params_of(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [param for group in optimizer.param_groups for param in group["params"]]


def set_gradients(optimizer: torch.optim.Optimizer, step: int) -> None:
    """Set gradients that contain zeros of both signs."""
    for at, param in enumerate(params_of(optimizer)):
        generator = torch.Generator().manual_seed(100 * step + at)
        late = at == LATE and not is_fused_momentum(optimizer)
        if at not in (NEVER, FROZEN) and (step >= 2 or not late):
            gradient = torch.randn(param.shape, generator=generator, dtype=param.dtype)
            gradient = gradient * (torch.rand(param.shape, generator=generator) < 0.7)  # -1.0 * False is -0.0
            param.grad = torch.empty_like(param).copy_(gradient)


def is_fused_momentum(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether torch itself needs the first gradients of all parameters at the same step for this optimizer."""
    group = optimizer.param_groups[0]
    return isinstance(optimizer, torch.optim.SGD) and bool(group["fused"]) and group["momentum"] != 0


def steps(optimizer: torch.optim.Optimizer, first: int, last: int) -> list[Any]:
    """Make steps, each with a new learning rate. Return the bits of the parameters and the state after each step."""
    seen = []
    for step in range(first, last):
        for at, group in enumerate(optimizer.param_groups):
            group["lr"] = 0.1 / (1 + step + at)
        set_gradients(optimizer, step)
        optimizer.step()
        seen.append([bits(param) for param in params_of(optimizer)] + [state_bits(optimizer)])
    return seen


def bits(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    value = torch.view_as_real(value.detach()) if value.is_complex() else value.detach()
    return value.dtype, tuple(value.shape), value.contiguous().view(-1).view(torch.uint8).tolist()


def state_bits(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    return [
        {key: bits(value) for key, value in optimizer.state.get(param, {}).items()} for param in params_of(optimizer)
    ]


def assert_same_training(optimizer: torch.optim.Optimizer, reference: torch.optim.Optimizer, first: int = 0) -> None:
    """Check that both optimizers have the same parameters and state after each of seven steps."""
    for mine, theirs in zip(steps(optimizer, first, first + 7), steps(reference, first, first + 7), strict=True):
        assert mine[:-1] == theirs[:-1]
        for at, (my_state, their_state) in enumerate(zip(mine[-1], theirs[-1], strict=True)):
            if their_state or at not in (LATE, NEVER):
                own = {key: value for key, value in my_state.items() if key not in REPORTED - set(their_state)}
                assert own == their_state
    assert [{**group, "params": None} for group in optimizer.param_groups] == [
        {**group, "params": None} for group in reference.param_groups
    ]


def ids(case: Any) -> str:
    return case if isinstance(case, str) else "-".join(f"{key}={value}" for key, value in case.items()) or "plain"


def test_every_known_optimizer_is_tested():
    assert set(OPTIONS) == {name for name in LIBRARY if name != "Adafactor" or hasattr(torch.optim, name)}


@for_each(("name", "options"), [case for case in CASES if len(case[1]) == 1], ids)
def test_preinitialize_does_not_change_training(name, options):
    assert_training_is_the_same(name, options)


@pytest.mark.proof
@for_each(("name", "options"), [case for case in CASES if len(case[1]) > 1], ids)
def test_preinitialize_does_not_change_training_with_several_options(name, options):
    assert_training_is_the_same(name, options)


def assert_training_is_the_same(name, options):
    optimizer, reference = make_optimizer(name, options), make_optimizer(name, options)
    preinitialize(optimizer)
    assert_same_training(optimizer, reference)


@for_each(("name", "options"), CASES, ids)
def test_all_state_tensors_exist_before_and_stay_the_same_objects(name, options):
    optimizer, reference = make_optimizer(name, options), make_optimizer(name, options)
    preinitialize(optimizer)
    before = {
        (at, key): (value, value.data_ptr(), value.stride(), value.dtype, value.shape)
        for at, param in enumerate(params_of(optimizer))
        for key, value in optimizer.state.get(param, {}).items()
        if isinstance(value, torch.Tensor)
    }
    steps(reference, 0, 4)
    steps(optimizer, 0, 4)
    names = {
        (at, key)
        for at, param in enumerate(params_of(reference))
        for key in reference.state.get(param, {})
        if at != NEVER  # Adagrad makes a state also for a parameter without a gradient
    }
    assert names <= set(before)
    for (at, key), (tensor, address, *kind) in before.items():
        if key not in REPORTED:
            held = optimizer.state[params_of(optimizer)[at]][key]
            assert held is tensor
            assert held.data_ptr() == address
        if (at, key) in names:
            made = reference.state[params_of(reference)[at]][key]
            # A trust ratio of 1.0 is a float in a Lamb's other implementation.
            assert key in REPORTED or [made.stride(), made.dtype, made.shape] == kind


@for_each(("name", "options"), CASES, ids)
def test_nothing_else_changes(name, options):
    optimizer = make_optimizer(name, options)
    params = params_of(optimizer)
    for param in params[:3]:
        param.grad = torch.full_like(param, 7.0)
    gradients = [param.grad for param in params]
    before = copy.deepcopy([bits(param) for param in params]), copy.deepcopy([bits(param.grad) for param in params])
    versions = [param._version for param in params]
    groups = [(id(group), dict(group)) for group in optimizer.param_groups]
    random = torch.get_rng_state()
    preinitialize(optimizer)
    assert ([bits(param) for param in params], [bits(param.grad) for param in params]) == before
    assert all(param.grad is gradient for param, gradient in zip(params, gradients, strict=True))
    assert [param._version for param in params] == versions
    assert torch.equal(torch.get_rng_state(), random)
    for group, (identity, options_before) in zip(optimizer.param_groups, groups, strict=True):
        assert id(group) == identity
        assert {key: group[key] for key in options_before} == options_before
        assert set(group) - set(options_before) <= {"step"}  # Lamb and Lion count steps in the group
    assert not optimizer.state.get(params[FROZEN]) or name == "Adagrad"


@for_each("trained", [0, 1, 3], one_in=2)
@for_each(("name", "options"), ONE_EACH, ids)
def test_a_second_call_changes_nothing_and_existing_state_stays(name, options, trained):
    optimizer, reference = make_optimizer(name, options), make_optimizer(name, options)
    if not trained:
        preinitialize(optimizer)
    assert len(steps(optimizer, 0, trained)) == len(steps(reference, 0, trained))
    tensors = {id(value) for state in optimizer.state.values() for value in state.values()}
    before = state_bits(optimizer)
    preinitialize(optimizer)
    assert tensors <= {id(value) for state in optimizer.state.values() for value in state.values()}
    assert all(now == then or not then for now, then in zip(state_bits(optimizer), before, strict=True))
    preinitialize(optimizer)
    assert_same_training(optimizer, reference, trained)
    assert not optimizer._optimizer_step_pre_hooks or params_of(optimizer)[NEVER].grad is None


@for_each(("name", "options"), ONE_EACH, ids)
@pytest.mark.parametrize("trained", [4, pytest.param(0, marks=pytest.mark.proof)])
def test_state_is_saved_and_loaded(name, options, trained):
    assert_state_goes_on(name, options, trained)


@pytest.mark.proof
@for_each(("name", "options"), CASES, ids)
@pytest.mark.parametrize("trained", [0, 1, 4])
def test_state_of_every_implementation_is_saved_and_loaded(name, options, trained):
    assert_state_goes_on(name, options, trained)


def assert_state_goes_on(name, options, trained):
    optimizer = make_optimizer(name, options)
    preinitialize(optimizer)
    steps(optimizer, 0, trained)
    file = io.BytesIO()
    torch.save([optimizer.state_dict(), [param.data for param in params_of(optimizer)]], file)
    for prepared in (False, True):  # whether the optimizer that loads the state was preinitialized
        resumed, reference = make_optimizer(name, options), make_optimizer(name, options)
        if prepared:
            preinitialize(resumed)
        file.seek(0)
        state, values = torch.load(file, weights_only=True)
        for param, value in zip(params_of(resumed), values, strict=True):
            param.data.copy_(value)
        resumed.load_state_dict(state)
        if not prepared:
            preinitialize(resumed)  # some parameters have not made their first step; see the docstring
        steps(reference, 0, trained)
        assert_same_training(resumed, reference, trained)


@for_each("name", OPTIONS)
@pytest.mark.parametrize(
    "dtype", [pytest.param(torch.bfloat16, marks=pytest.mark.proof), torch.float64, torch.complex64], ids=str
)
def test_other_dtypes(name, dtype):
    for options in OPTIONS[name]:
        optimizer, reference = make_optimizer(name, options, dtype), make_optimizer(name, options, dtype)
        try:
            steps(reference, 0, 1)
        except (RuntimeError, ValueError, TypeError) as error:
            trouble = error
        else:
            preinitialize(optimizer)
            assert_same_training(optimizer, make_optimizer(name, options, dtype))
            continue
        if "not support complex" in str(trouble):  # Adafactor raises this error
            before = [dict(group) for group in optimizer.param_groups]
            with pytest.raises(RuntimeError, match="not support complex"):
                preinitialize(optimizer)
            assert not optimizer.state
            assert [dict(group) for group in optimizer.param_groups] == before
            continue
        raise trouble


@for_each(("name", "options"), ONE_EACH, ids)
def test_preinitialize_calls_no_hooks_and_no_scheduler_counts(name, options):
    optimizer, reference = make_optimizer(name, options), make_optimizer(name, options)
    called = []
    optimizer.register_step_pre_hook(lambda *_: called.append("before"))
    optimizer.register_step_post_hook(lambda *_: called.append("after"))
    handles = [
        torch_optimizer.register_optimizer_step_pre_hook(lambda *_: called.append("before any")),
        torch_optimizer.register_optimizer_step_post_hook(lambda *_: called.append("after any")),
    ]
    schedulers = [torch.optim.lr_scheduler.StepLR(each, 2) for each in (optimizer, reference)]
    try:
        preinitialize(optimizer)
    finally:
        for handle in handles:
            handle.remove()
    assert called == []
    with pytest.warns(UserWarning, match="before `optimizer.step"):  # no step has been made
        copy_of_scheduler_step(optimizer)
    assert_same_training(optimizer, reference)
    assert called == ["before", "after"] * 7
    schedulers[0].step()  # this gives no warning


def copy_of_scheduler_step(optimizer: torch.optim.Optimizer) -> None:
    """Return the step count of a torch scheduler that does not change the learning rate."""
    lrs = [group["lr"] for group in optimizer.param_groups]
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1.0).step()
    for group, lr in zip(optimizer.param_groups, lrs, strict=True):
        group["lr"] = lr


@pytest.mark.parametrize(
    ("name", "options"), [("ASGD", {}), ("Rprop", {}), ("SGD", {"momentum": 0.9, "dampening": 0.1})], ids=ids
)
def test_hooks_are_removed_after_the_last_first_step(name, options):
    first, last = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = configure_optimizer(name, [first, last], lr=0.1, **options)
    for _ in range(2):
        preinitialize(optimizer)
        assert len(optimizer._optimizer_step_pre_hooks) == len(optimizer._optimizer_step_post_hooks) == 1
    for step in range(4):
        first.grad = torch.ones(2)
        last.grad = torch.ones(2) if step == 2 else None
        optimizer.step()
        waiting = int(step < 2)
        assert len(optimizer._optimizer_step_pre_hooks) == len(optimizer._optimizer_step_post_hooks) == waiting
    preinitialize(optimizer)
    assert not optimizer._optimizer_step_pre_hooks


@for_each(("name", "options"), [case for case in CASES if "fused" not in case[1]], ids)
def test_gradients_may_come_from_a_closure_that_may_fail(name, options):
    optimizer, reference = make_optimizer(name, options), make_optimizer(name, options)
    preinitialize(optimizer)

    def fail() -> float:
        raise ArithmeticError

    for each in (optimizer, reference):
        with pytest.raises(ArithmeticError):
            each.step(fail)
    for step in range(4):
        for each in (optimizer, reference):
            each.zero_grad()
            each.step(lambda each=each, step=step: set_gradients(each, step))
        assert [*map(bits, params_of(optimizer))] == [*map(bits, params_of(reference))]


@for_each("name", OPTIONS)
def test_a_learning_rate_that_is_a_tensor(name):
    made = []
    for prepared in (True, False):
        params = make_params()
        # On the CPU, torch accepts a tensor as the learning rate only with foreach=False.
        optimizer = configure_optimizer(name, params, lr=torch.tensor(0.05), foreach=False)
        if prepared:
            preinitialize(optimizer)
        seen = []
        for step in range(4):
            optimizer.param_groups[0]["lr"].fill_(0.1 / (step + 1))
            set_gradients(optimizer, step)
            optimizer.step()
            seen.append([*map(bits, params)])
        made.append(seen)
    assert made[0] == made[1]


@for_each("name", [name for name in OPTIONS if name not in ("Adafactor", "Lamb", "Lion")])
def test_differentiable_optimizers_train_alike(name):
    made = []
    for prepared in (True, False):
        leaves = [torch.nn.Parameter(torch.tensor([1.0, -2.0])), torch.nn.Parameter(torch.tensor(3.0))]
        params = [leaf.clone() for leaf in leaves]
        for param in params:
            param.retain_grad()
        optimizer = configure_optimizer(name, params, lr=0.1, differentiable=True)
        if prepared:
            preinitialize(optimizer)
        for step in range(1 if name == "Adamax" else 2):  # torch's Adamax loses its graph in the second step
            for param in params:
                param.grad = torch.full_like(param, 0.5 - step)
            optimizer.step()
        sum(param.sum() for param in params).backward()
        made.append([bits(leaf.grad) for leaf in leaves] + [bits(param) for param in params])
    assert made[0] == made[1]


@for_each("name", ["Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Adadelta", "ASGD", "RMSprop", "Rprop"])
def test_capturable_optimizers_count_on_the_parameters_device(name):
    param = torch.nn.Parameter(torch.ones(2, device="meta"))  # on the CPU, the test would always pass
    optimizer = configure_optimizer(name, [param], lr=0.1, capturable=True)
    preinitialize(optimizer)
    assert {value.device.type for value in optimizer.state[param].values()} == {"meta"}


@pytest.fixture
def capturing(monkeypatch):
    """Make the code believe that a graph is being captured."""
    monkeypatch.setattr("lehr.engine.first_step_hooks._is_capturing", lambda: True)


@pytest.mark.parametrize(("name", "options"), [case for case in CASES if case[0] in ("ASGD", "Rprop")], ids=ids)
def test_a_captured_graph_is_right_at_the_first_and_at_later_steps(name, options, capturing):
    optimizer, reference = make_optimizer(name, options), make_optimizer(name, options)
    preinitialize(optimizer)
    assert_same_training(optimizer, reference)
    assert optimizer._optimizer_step_pre_hooks  # the hooks stay, because the step count is not read during a capture


def test_a_dampened_first_step_must_not_be_captured(capturing):
    optimizer = make_optimizer("SGD", {"momentum": 0.9, "dampening": 0.1})
    preinitialize(optimizer)
    set_gradients(optimizer, 0)
    with pytest.raises(RuntimeError, match="must not be captured"):
        optimizer.step()


@pytest.mark.parametrize(
    ("options", "known"), [({}, True), ({"dampening": 0.3}, True), ({"dampening": 0.3}, False)], ids=str
)
def test_sparse_gradients_that_are_known_or_dampened(options, known):
    made = []
    for prepare in (True, False):
        generator = torch.Generator().manual_seed(3)
        param = torch.nn.Parameter(torch.ones(3, 2))
        optimizer = torch.optim.SGD([param], lr=0.1, momentum=0.9, **options)
        if prepare and not known:
            preinitialize(optimizer)
        for step in range(4):
            values = torch.randn(3, 2, generator=generator)
            param.grad = torch.sparse_coo_tensor(torch.tensor([[0, 2, 2]]), values, (3, 2), check_invariants=True)
            if prepare and known and not step:
                preinitialize(optimizer)
                assert not optimizer.state
            optimizer.step()
            made.append(bits(param))
        assert optimizer.state[param]["momentum_buffer"].is_sparse
    assert made[:4] == made[4:]


@pytest.mark.parametrize("options", [{}, {"dampening": 0.3}])
def test_a_buffer_replaces_none(options):
    """A checkpoint may contain None as the buffer, from before the first step or from a run without momentum."""
    optimizer = torch.optim.SGD(make_params(), lr=0.1, momentum=0.9, **options)
    for param in params_of(optimizer):
        optimizer.state[param] = {"momentum_buffer": None}
    preinitialize(optimizer)
    reference = torch.optim.SGD(make_params(), lr=0.1, momentum=0.9, **options)
    for param in params_of(optimizer):
        assert isinstance(optimizer.state[param]["momentum_buffer"], torch.Tensor) or not param.requires_grad
    assert [seen[:-1] for seen in steps(optimizer, 0, 4)] == [seen[:-1] for seen in steps(reference, 0, 4)]


def test_a_trained_state_that_is_loaded_later_is_kept():
    options = {"momentum": 0.9, "dampening": 0.3}
    optimizer, reference = make_optimizer("SGD", options), make_optimizer("SGD", options)
    steps(reference, 0, 3)
    preinitialize(optimizer)
    optimizer.load_state_dict(copy.deepcopy(reference.state_dict()))
    for mine, theirs in zip(params_of(optimizer), params_of(reference), strict=True):
        mine.data.copy_(theirs)
    assert_same_training(optimizer, reference, 3)


@for_each("name", OPTIONS)
def test_an_error_half_way_leaves_the_optimizer_unchanged(name, monkeypatch):
    optimizer = make_optimizer(name, OPTIONS[name][-1])
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))], "extra": 1})
    optimizer.state.clear()  # Adagrad makes the state of its first groups when it is constructed
    options = [set(group) for group in optimizer.param_groups]
    made = []

    def fail_late(tensor: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        made.append(tensor)
        if len(made) == 4:
            raise MemoryError
        return torch.zeros(tensor.shape)

    monkeypatch.setattr(torch, "zeros_like", fail_late)
    with pytest.raises(MemoryError):
        preinitialize(optimizer)
    assert not optimizer.state
    assert [set(group) for group in optimizer.param_groups] == options
    assert not optimizer._optimizer_step_pre_hooks


def test_a_group_that_is_added_later_gets_state():
    for name in OPTIONS:
        if name == "Adagrad" and not hasattr(torch.optim, "Adafactor"):
            continue  # Adagrad of torch 2.4 fails at its next step
        optimizer, reference = make_optimizer(name, {}), make_optimizer(name, {})
        preinitialize(optimizer)
        steps(optimizer, 0, 2)
        steps(reference, 0, 2)
        for each in (optimizer, reference):
            each.add_param_group({"params": [torch.nn.Parameter(torch.tensor([1.0, -2.0]))]})
        preinitialize(optimizer)
        assert optimizer.state[params_of(optimizer)[-1]] or name == "SGD"
        assert_same_training(optimizer, reference, 2)


def test_preinitialize_works_in_inference_mode():
    optimizer, reference = make_optimizer("Adam", {}), make_optimizer("Adam", {})
    with torch.inference_mode():
        preinitialize(optimizer)
    assert_same_training(optimizer, reference)


@pytest.mark.proof
def test_a_first_step_can_be_compiled():
    for name, options in [("Adam", {}), ("Rprop", {}), ("SGD", {"momentum": 0.9})]:
        made = []
        for prepared in (True, False):
            optimizer = make_optimizer(name, {**options, "foreach": False})
            if prepared:
                preinitialize(optimizer)
            step = torch.compile(optimizer.step, backend="eager")
            for at in range(3):
                set_gradients(optimizer, at)
                step()
            made.append([bits(param) for param in params_of(optimizer)])
        assert made[0] == made[1]


def test_a_subclass_of_a_known_optimizer_is_accepted():
    class Mine(torch.optim.AdamW):
        """A subclass that adds nothing."""

    param = torch.nn.Parameter(torch.ones(2))
    optimizer = Mine([param])
    preinitialize(optimizer)
    assert set(optimizer.state[param]) == {"step", "exp_avg", "exp_avg_sq"}


@pytest.mark.parametrize("other", [torch.optim.LBFGS, torch.optim.SparseAdam, lambda params: "an optimizer"])
def test_unknown_optimizers_are_refused(other):
    optimizer = other([torch.nn.Parameter(torch.ones(2))])
    with pytest.raises(TypeError, match="optimizer must be one of SGD, Adam, .*, given"):
        preinitialize(optimizer)
