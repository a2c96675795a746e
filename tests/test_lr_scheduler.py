"""Wrapping torch's own schedulers; test_faults_of_ignite.py compares the values with torch's own loop."""

import pytest
import torch
from optimizers import make_optimizer, make_trainer, values_of
from rigs import METRICS, TORCH, optimizer_of
from torch.optim import lr_scheduler as peer
from torch.utils._python_dispatch import TorchDispatchMode

from lehr.handlers import ConcatScheduler, LRScheduler, PiecewiseLinear


def test_the_torch_scheduler_is_moved_along_by_its_public_step():
    class Counting(peer.StepLR):
        def step(self, *args):
            self.steps = getattr(self, "steps", -1) + 1
            super().step(*args)

    wrapped = Counting(optimizer_of(1, tensor=False), 3)
    scheduler = LRScheduler(wrapped)
    for _ in range(8):
        scheduler(None)
    assert (wrapped.steps, wrapped.last_epoch) == (7, 7)
    assert wrapped.get_last_lr() == values_of(wrapped.optimizer) == [pytest.approx(0.001)]
    assert scheduler.lr_scheduler is wrapped


@pytest.mark.parametrize("kind", TORCH)
def test_what_others_write_in_between_does_not_reach_it(kind):
    optimizer, alone = optimizer_of(3, tensor=False), optimizer_of(3, tensor=False)
    scheduler, expected = LRScheduler(TORCH[kind](optimizer)), LRScheduler(TORCH[kind](alone))
    for event in range(40):
        scheduler(None)
        expected(None)
        assert values_of(optimizer) == values_of(alone)
        for group in optimizer.param_groups:
            group["lr"] = float(event)


@pytest.mark.parametrize("replace_step", [False, True])
@pytest.mark.parametrize("kind", TORCH)
def test_torch_does_not_warn_where_the_optimizer_did_not_step(kind, replace_step):
    """Warnings are errors in these tests."""
    optimizer = optimizer_of(1, tensor=False)
    scheduler = LRScheduler(TORCH[kind](optimizer))
    if replace_step:
        optimizer.step = lambda: None
    step = optimizer.step
    for _ in range(30):
        scheduler(None)
    assert optimizer.step == step
    assert "_opt_called" not in vars(optimizer)
    LRScheduler.simulate_values(30, TORCH[kind](optimizer_of(1, tensor=False)))


def test_torch_warns_as_before_of_a_scheduler_that_is_not_wrapped():
    optimizer = optimizer_of(1, tensor=False)
    LRScheduler(peer.StepLR(optimizer, 3))(None)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        peer.StepLR(optimizer, 3).step()


def test_a_step_that_fails_changes_nothing_and_may_be_tried_again():
    optimizer = optimizer_of(3, tensor=False)
    scheduler = LRScheduler(peer.OneCycleLR(optimizer, 0.3, total_steps=10))
    expected = scheduler.simulate(11)  # torch allows one step beyond its last
    for _ in range(11):
        scheduler(None)
    momentum = values_of(optimizer, "momentum")
    for _ in range(2):
        with pytest.raises(ValueError, match="Tried to step"):
            scheduler(None)
        assert scheduler.event_index == 11
        assert values_of(optimizer) == expected[-1].tolist()
        assert values_of(optimizer, "momentum") == momentum
    scheduler.seek(4)
    scheduler(None)
    assert values_of(optimizer) == expected[4].tolist()


@pytest.mark.parametrize("kind", ["OneCycleLR", "CyclicLR"])
def test_tensors_among_the_betas_stay_the_same_tensors(kind):
    betas = torch.tensor(0.9, dtype=torch.float64), torch.tensor(0.999, dtype=torch.float64)
    optimizer = make_optimizer(1, torch.optim.Adam, betas=betas, foreach=False, capturable=False)
    plain = make_optimizer(1, torch.optim.Adam)
    scheduler, expected = LRScheduler(TORCH[kind](optimizer)), TORCH[kind](plain)
    optimizer.param_groups[0]["betas"] = betas  # for torch's constructor has put a float there
    betas[0].fill_(plain.param_groups[0]["betas"][0])
    for _ in range(20):
        scheduler(None)
        assert betas[0].item() == values_of(plain, "betas[0]")[0]
        assert all(held is beta for held, beta in zip(optimizer.param_groups[0]["betas"], betas, strict=True))
        plain.step()
        expected.step()


def test_a_momentum_is_put_back_when_a_state_is_loaded():
    def make():
        optimizer = optimizer_of(1, tensor=False)
        return LRScheduler(TORCH["OneCycleLR"](optimizer)), optimizer

    scheduler, optimizer = make()
    for _ in range(9):
        scheduler(None)
    resumed, fresh = make()
    assert values_of(fresh, "momentum") != values_of(optimizer, "momentum")
    resumed.load_state_dict(scheduler.state_dict())
    assert values_of(fresh, "momentum") == values_of(optimizer, "momentum")
    scheduler(None)
    resumed(None)
    assert values_of(fresh, "momentum") == values_of(optimizer, "momentum")


def test_a_state_of_another_configuration_goes_on_by_this_one():
    saved = LRScheduler(peer.StepLR(optimizer_of(2, tensor=False), 3, gamma=0.1))
    for _ in range(7):
        saved(None)
    optimizer = optimizer_of(2, tensor=False)
    resumed = LRScheduler(peer.StepLR(optimizer, 3, gamma=0.5))
    with pytest.warns(UserWarning, match=r"(?s)saved: StepLR\(step_size=3, gamma=0.1.*now: .*gamma=0.5"):
        resumed.load_state_dict(saved.state_dict())
    resumed(None)
    assert values_of(optimizer) == [0.025, 0.05]
    assert resumed.lr_scheduler.gamma == 0.5


def test_a_group_added_in_mid_run_has_the_value_of_the_only_one():
    optimizer = optimizer_of(1, tensor=False)
    scheduler = LRScheduler(peer.ExponentialLR(optimizer, 0.5))
    scheduler(None)
    scheduler(None)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 7.0})
    assert scheduler.simulate(1, start=1).tolist() == [[0.05, 0.05]]


class LargestTensor(TorchDispatchMode):
    """The largest tensor that is made or written."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, list | tuple) else [result]:
            if isinstance(tensor, torch.Tensor) and tensor.device.type != "meta":
                self.largest = max(self.largest, tensor.numel())
        return result


@pytest.mark.parametrize("tensor", [False, True], ids=["float", "tensor"])
def test_simulation_makes_no_tensor_of_more_than_one_number(tensor):
    weight = torch.nn.Parameter(torch.zeros(1_000_000))
    rate = torch.tensor(0.1) if tensor else 0.1
    optimizer = torch.optim.SGD([weight], lr=rate, momentum=0.9, foreach=False)
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    scheduler = LRScheduler(TORCH["SequentialLR"](optimizer))
    momentum = optimizer.state[weight]["momentum_buffer"].clone()
    with LargestTensor() as mode:
        scheduler.simulate(30)
        LRScheduler.simulate_values(30, TORCH["OneCycleLR"](optimizer))
    assert mode.largest <= 1
    assert torch.equal(optimizer.state[weight]["momentum_buffer"], momentum)


def test_legacy_begins_with_the_second_value():
    wrapped = peer.ExponentialLR(optimizer_of(1, tensor=False), 0.5)
    with pytest.warns(UserWarning, match="use_legacy=True leaves out the first value") as warned:
        scheduler = LRScheduler(wrapped, use_legacy=True)
    assert warned[0].filename == __file__
    assert scheduler.simulate(3)[:, 0].tolist() == [0.05, 0.025, 0.0125]


# A plateau that is fed a metric.


def plateau_of(optimizer):
    return peer.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, min_lr=[0.01, 0.06, 0.3])


def test_a_plateau_is_given_the_metric_of_the_events_before():
    optimizer, plain = optimizer_of(3, tensor=False), optimizer_of(3, tensor=False)
    scheduler, expected, trainer = (
        LRScheduler(plateau_of(optimizer), metric_name="nll"),
        plateau_of(plain),
        make_trainer(),
    )
    for metric in METRICS[:30]:
        scheduler(trainer)
        assert values_of(optimizer) == values_of(plain)
        trainer.state.metrics = {"nll": metric}
        expected.step(metric)
    assert values_of(plain) == [0.01, 0.06, pytest.approx(0.3)]


def test_a_legacy_plateau_is_given_the_metric_of_its_first_event_too():
    optimizer, plain = optimizer_of(3, tensor=False), optimizer_of(3, tensor=False)
    with pytest.warns(UserWarning, match="use_legacy"):
        scheduler = LRScheduler(plateau_of(optimizer), use_legacy=True)
    expected, trainer = plateau_of(plain), make_trainer()
    for metric in METRICS[:30]:
        trainer.state.metrics = {"loss": torch.tensor(metric, dtype=torch.float64)}
        scheduler(trainer)
        expected.step(metric)
        assert values_of(optimizer) == values_of(plain)


def test_a_metric_that_is_missing_is_an_error_that_lists_those_that_are_there():
    optimizer, trainer = optimizer_of(3, tensor=False), make_trainer()
    scheduler = LRScheduler(plateau_of(optimizer))
    scheduler(trainer)
    for metrics in ({"accuracy": 0.5}, {"accuracy": 0.5, "loss": None}):
        trainer.state.metrics = metrics
        with pytest.raises(ValueError, match=r"metric_name must be one of the metrics .*'accuracy'.* given 'loss'"):
            scheduler(trainer)
        assert scheduler.event_index == 1


def test_a_torch_plateau_follows_a_warm_up():
    optimizer, trainer = optimizer_of(1, tensor=False), make_trainer()
    plateau = LRScheduler(peer.ReduceLROnPlateau(optimizer, factor=0.5, patience=0))
    scheduler = ConcatScheduler([PiecewiseLinear(optimizer, "lr", [(0, 0.0), (2, 0.1)]), plateau], [2])
    written = []
    for metric in (3.0, 2.0, 2.0, 1.0, 1.0):
        scheduler(trainer)
        written += values_of(optimizer)
        trainer.state.metrics = {"loss": metric}
        plateau.observe(trainer)
    assert written == [0.0, 0.05, 0.1, 0.05, 0.05]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None,), TypeError, "lr_scheduler must be a scheduler of torch.optim.lr_scheduler, given None"),
        ((make_optimizer(),), TypeError, "lr_scheduler must be a scheduler of torch.optim"),
        ((peer.StepLR(make_optimizer(), 1), "lr"), TypeError, "save_history must be True or False, given 'lr'"),
    ],
)
def test_what_is_wrong_is_said(arguments, error, message):
    with pytest.raises(error, match=message):
        LRScheduler(*arguments)


def test_the_name_of_a_metric_must_be_a_string():
    with pytest.raises(TypeError, match="metric_name must be a string, given 3"):
        LRScheduler(peer.StepLR(make_optimizer(), 1), metric_name=3)
