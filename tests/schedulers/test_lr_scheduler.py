"""LRScheduler, which wraps torch's schedulers; test_faults_of_ignite.py compares its values with torch's own loop."""

import pytest
import torch
from cases import for_each
from optimizers import make_optimizer, make_trainer, values_of
from rigs import METRICS, optimizer_of
from torch.optim import lr_scheduler as peer
from torch.utils._python_dispatch import TorchDispatchMode
from torch_schedulers import TORCH, WITHOUT_TENSORS

from lehr.handlers import ConcatScheduler, LRScheduler, PiecewiseLinear


def test_the_torch_scheduler_is_moved_by_its_public_step():
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


@for_each("kind", TORCH)
def test_values_that_other_code_writes_do_not_change_it(kind):
    optimizer, alone = optimizer_of(3, tensor=False), optimizer_of(3, tensor=False)
    scheduler, expected = LRScheduler(TORCH[kind](optimizer)), LRScheduler(TORCH[kind](alone))
    for event in range(40):
        scheduler(None)
        expected(None)
        assert values_of(optimizer) == values_of(alone)
        for group in optimizer.param_groups:
            group["lr"] = float(event)


@for_each("replace_step", [False, True])
@for_each("kind", TORCH)
def test_torch_does_not_warn_if_the_optimizer_did_not_step(kind, replace_step):
    """A warning would fail the test, since pytest raises warnings as errors."""
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
    expected = scheduler.simulate(11)  # torch allows one step more than total_steps
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
    optimizer.param_groups[0]["betas"] = betas  # torch's constructor has replaced the tensor by a float
    betas[0].fill_(plain.param_groups[0]["betas"][0])
    for _ in range(20):
        scheduler(None)
        assert betas[0].item() == values_of(plain, "betas[0]")[0]
        assert all(held is beta for held, beta in zip(optimizer.param_groups[0]["betas"], betas, strict=True))
        plain.step()
        expected.step()


def test_loading_a_state_restores_the_momentum():
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


def test_after_a_state_of_another_configuration_the_values_follow_this_configuration():
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


@pytest.mark.parametrize("events", [0, 1, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_group_that_was_added_has_the_values_of_torchs_own_loop(groups, events):
    optimizer, plain = optimizer_of(groups, tensor=False), optimizer_of(groups, tensor=False)
    scheduler, expected = LRScheduler(peer.ExponentialLR(optimizer, 0.5)), peer.ExponentialLR(plain, 0.5)
    for event in range(6):
        if event == events:
            for grown in (optimizer, plain):
                grown.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 8.0})
        scheduler(None)
        assert values_of(optimizer) == values_of(plain)
        plain.step()
        expected.step()
    fresh = optimizer_of(groups, tensor=False)
    resumed = LRScheduler(peer.ExponentialLR(fresh, 0.5))
    with pytest.raises(ValueError, match=f"state_dict must be for {groups} param groups"):
        resumed.load_state_dict(scheduler.state_dict())
    fresh.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 8.0})
    resumed.load_state_dict(scheduler.state_dict())
    resumed(None)
    assert values_of(fresh) == values_of(plain)


class LargestTensor(TorchDispatchMode):
    """Records the size of the largest tensor that an operation makes or writes."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, list | tuple) else [result]:
            if isinstance(tensor, torch.Tensor) and tensor.device.type != "meta":
                self.largest = max(self.largest, tensor.numel())
        return result


@pytest.mark.parametrize("tensor", [False, True], ids=["float", "tensor"])
def test_simulation_makes_no_tensor_of_more_numbers_than_events(tensor):
    weight = torch.nn.Parameter(torch.zeros(1_000_000))
    rate = torch.tensor(0.1) if tensor else 0.1
    optimizer = torch.optim.SGD([weight], lr=rate, momentum=0.9, foreach=False)
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    scheduler = LRScheduler(TORCH["StepLR" if tensor and WITHOUT_TENSORS else "SequentialLR"](optimizer))
    momentum = optimizer.state[weight]["momentum_buffer"].clone()
    with LargestTensor() as mode:
        scheduler.simulate(30)
        LRScheduler.simulate_values(30, TORCH["OneCycleLR"](optimizer))
    assert mode.largest <= 30
    assert torch.equal(optimizer.state[weight]["momentum_buffer"], momentum)


def test_legacy_begins_with_the_second_value():
    wrapped = peer.ExponentialLR(optimizer_of(1, tensor=False), 0.5)
    with pytest.warns(UserWarning, match="use_legacy=True skips the first value") as warned:
        scheduler = LRScheduler(wrapped, use_legacy=True)
    assert warned[0].filename == __file__
    assert scheduler.simulate(3)[:, 0].tolist() == [0.05, 0.025, 0.0125]


# Schedulers and functions that users write.


class Generating(peer.LRScheduler):
    """A user's scheduler that cannot be copied, since it has a generator."""

    def __init__(self, optimizer):
        self.factors = iter(0.5**step for step in range(100))
        super().__init__(optimizer)

    def get_lr(self):
        factor = next(self.factors)
        return [base * factor for base in self.base_lrs]


def test_a_scheduler_that_cannot_be_copied_can_run_but_not_be_simulated_or_go_back():
    optimizer = optimizer_of(1, tensor=False)
    scheduler = LRScheduler(Generating(optimizer))
    for expected in (0.1, 0.05, 0.025):
        scheduler(None)
        assert values_of(optimizer) == [expected]
    with pytest.raises(TypeError, match="cannot be simulated, since it cannot be copied"):
        scheduler.simulate(3)
    fresh = LRScheduler(Generating(optimizer_of(1, tensor=False)))
    fresh.load_state_dict(scheduler.state_dict())
    fresh(None)
    assert values_of(fresh.optimizer) == [0.0125]
    scheduler.seek(1)
    with pytest.raises(TypeError, match="cannot go back to an earlier step"):
        scheduler(None)


class Decay:
    """A callable object without a repr of its own."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, epoch):
        return self.rate**epoch


def test_a_callable_object_with_other_numbers_is_another_configuration():
    saved = LRScheduler(peer.LambdaLR(optimizer_of(1, tensor=False), Decay(0.9)))
    for _ in range(3):
        saved(None)
    resumed = LRScheduler(peer.LambdaLR(optimizer_of(1, tensor=False), Decay(0.5)))
    with pytest.warns(UserWarning, match=r"(?s)saved: .*Decay\(rate=0.9\).*now: .*Decay\(rate=0.5\)"):
        resumed.load_state_dict(saved.state_dict())
    resumed(None)
    assert values_of(resumed.optimizer) == [0.0125]


def test_the_state_of_another_torch_class_is_refused():
    saved = LRScheduler(peer.StepLR(optimizer_of(1, tensor=False), 2))
    for _ in range(3):
        saved(None)
    resumed = LRScheduler(peer.ExponentialLR(optimizer_of(1, tensor=False), 0.5))
    before = repr(resumed.state_dict())
    with pytest.raises(ValueError, match=r"torch's ExponentialLR, given 'StepLR'; to set only .*seek\(event_index\)"):
        resumed.load_state_dict(saved.state_dict())
    assert repr(resumed.state_dict()) == before


def test_the_text_of_a_configuration_has_no_addresses_in_memory():
    class Holder(peer.LRScheduler):
        def __init__(self, optimizer):
            self.held = [torch.zeros(100), torch.ones(2), {"b", "a"}, lambda: 1, object(), torch.nn.Linear(1, 1)]
            super().__init__(optimizer)

        def get_lr(self):
            return [group["lr"] for group in self.optimizer.param_groups]

    told = repr(LRScheduler(Holder(optimizer_of(1, tensor=False))).schedule)
    assert "0x" not in told
    assert "held=[tensor(torch.float32, (100,)), tensor([1.0, 1.0]), {'a', 'b'}, " in told


@pytest.mark.parametrize("kind", ["OneCycleLR", "CyclicLR"])
def test_seek_restores_the_momentum_like_the_learning_rate(kind):
    optimizer = optimizer_of(2, tensor=False)
    scheduler, momenta = LRScheduler(TORCH[kind](optimizer)), []
    for _ in range(12):
        scheduler(None)
        momenta.append(values_of(optimizer, "momentum"))
    for event in (5, 0, 11, 1):
        scheduler.seek(event)
        scheduler(None)
        assert values_of(optimizer, "momentum") == momenta[event]
    begun = LRScheduler(TORCH[kind](optimizer_of(2, tensor=False)))
    scheduler.load_state_dict(begun.state_dict())
    assert values_of(optimizer, "momentum") == momenta[0]


def test_seek_restores_the_momentum_of_an_inner_scheduler_that_is_not_active():
    def make():
        optimizer = optimizer_of(1, tensor=False)
        parts = [peer.ExponentialLR(optimizer, 0.9), peer.OneCycleLR(optimizer, 0.3, total_steps=20)]
        return LRScheduler(peer.SequentialLR(optimizer, parts, [5])), optimizer

    scheduler, optimizer = make()
    momenta = []
    for _ in range(12):
        scheduler(None)
        momenta.append(values_of(optimizer, "momentum"))
    for event in (2, 9, 4, 0):
        scheduler.seek(event)
        scheduler(None)
        assert values_of(optimizer, "momentum") == momenta[event]


def test_another_scheduler_may_write_the_other_beta():
    optimizer = make_optimizer(2, torch.optim.Adam)
    wrapped = LRScheduler(TORCH["OneCycleLR"](optimizer))
    other = PiecewiseLinear(optimizer, "betas[1]", [(0, 0.5), (10, 0.9)])
    for event in range(10):
        other(None)
        wrapped(None)
        assert [group["betas"][1] for group in optimizer.param_groups] == [pytest.approx(0.5 + 0.04 * event)] * 2
    assert values_of(optimizer, "betas[0]") != [0.95, 0.95]


def test_another_scheduler_may_write_the_momentum_while_this_scheduler_does_not():
    optimizer, plain = optimizer_of(1, tensor=False), optimizer_of(1, tensor=False)

    def make(optimizer):
        parts = [peer.ExponentialLR(optimizer, 0.9), peer.OneCycleLR(optimizer, 0.3, total_steps=20)]
        return peer.SequentialLR(optimizer, parts, [5])

    scheduler, expected = LRScheduler(make(optimizer)), make(plain)
    for event in range(10):
        scheduler(None)
        assert values_of(optimizer, "momentum") == values_of(plain, "momentum")
        for changed in (optimizer, plain):
            changed.param_groups[0]["momentum"] = 0.1 * event
        plain.step()
        expected.step()


@pytest.mark.parametrize("key", ["optimizer", "step", "get_lr"])
def test_a_state_may_not_replace_the_optimizer_or_a_method(key):
    scheduler = LRScheduler(TORCH["StepLR"](optimizer_of(1, tensor=False)))
    state = scheduler.state_dict()
    saved = state["progress"][0]["saved"]["dict"]
    assert saved[0][0] == "wrapped"
    saved[0][1]["dict"].append([key, 3])
    with pytest.raises(ValueError, match=f"must not contain '{key}'"):
        scheduler.load_state_dict(state)
    scheduler(None)
    scheduler(None)
    assert values_of(scheduler.optimizer) == [0.1]


COUNTS, ATTRIBUTES = r"saved counts .* must be ints, given .*None", "'{}' in the state of a ReduceLROnPlateau must be a"


class OwnStepLR(peer.StepLR):
    """A user's subclass of StepLR."""


@pytest.mark.parametrize("key", ["last_epoch", "_step_count"])
@pytest.mark.parametrize("class_", [peer.StepLR, OwnStepLR])
def test_a_state_whose_inner_counts_are_no_numbers_loads_nothing(class_, key):
    optimizer = make_optimizer()
    parts = [class_(optimizer, step_size=2), peer.ExponentialLR(optimizer, 0.9)]
    scheduler = LRScheduler(peer.SequentialLR(optimizer, parts, milestones=[2]))
    state, before = scheduler.state_dict(), repr(scheduler.state_dict())
    attributes = dict(state["progress"][0]["saved"]["dict"][0][1]["dict"])
    pair = next(pair for pair in attributes["_schedulers"]["list"][0]["dict"] if pair[0] == key)
    pair[1] = None
    with pytest.raises(ValueError, match=COUNTS):
        scheduler.load_state_dict(state)
    assert repr(scheduler.state_dict()) == before


@pytest.mark.parametrize("factor", [0.1, 0.5])  # 0.1 is the factor of the saved configuration
@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("last_epoch", COUNTS),
        *((key, ATTRIBUTES.format(key)) for key in ("num_bad_epochs", "best", "cooldown_counter")),
    ],
)
def test_a_state_whose_plateau_counts_are_no_numbers_loads_nothing(key, message, factor):
    def make(factor):
        return LRScheduler(peer.ReduceLROnPlateau(make_optimizer(), factor=factor), metric_name="loss")

    state, scheduler = make(0.1).state_dict(), make(factor)
    before = repr(scheduler.state_dict())
    pair = next(pair for pair in state["progress"][0]["saved"]["dict"][0][1]["dict"] if pair[0] == key)
    pair[1] = None
    with pytest.raises(ValueError, match=message):
        scheduler.load_state_dict(state)
    assert repr(scheduler.state_dict()) == before


def pair_of(pairs, key):
    return next(pair for pair in pairs["dict"] if pair[0] == key)


@for_each(
    ("key", "value", "message"),
    [
        ("rates", "x", "the saved learning rates must be a list of finite numbers, given 'x'"),
        ("momenta", "x", "the saved momenta must be a list of numbers or None, given 'x'"),
        ("wrapped", 3, "'wrapped' must contain attributes by their names, given 3"),
        ("gamma", 0.5, "the state of a StepLR must have the same 'gamma' as this scheduler, given 0.5"),
    ],
)
def test_a_state_with_another_entry_loads_nothing(key, value, message):
    scheduler = LRScheduler(peer.StepLR(make_optimizer(), step_size=2))
    state, before = scheduler.state_dict(), repr(scheduler.state_dict())
    saved = state["progress"][0]["saved"]
    pair_of(pair_of(saved, "wrapped")[1] if key == "gamma" else saved, key)[1] = value
    with pytest.raises(ValueError, match=message):
        scheduler.load_state_dict(state)
    assert repr(scheduler.state_dict()) == before


class NeverLoaded(peer.StepLR):
    """A user's class that refuses every state."""

    def load_state_dict(self, state_dict):
        raise KeyError(state_dict)


def test_an_error_of_a_users_class_that_loads_is_told():
    scheduler = LRScheduler(NeverLoaded(make_optimizer(), step_size=2))
    with pytest.raises(ValueError, match="state_dict must fit this torch scheduler, given "):
        scheduler.load_state_dict(scheduler.state_dict())


def test_betas_are_restored_if_a_step_fails_half_way():
    betas = torch.tensor(0.9, dtype=torch.float64), torch.tensor(0.999, dtype=torch.float64)
    optimizer = make_optimizer(1, torch.optim.Adam, betas=betas, foreach=False, capturable=False)
    parts = [peer.OneCycleLR(optimizer, 0.3, total_steps=steps) for steps in (50, 3)]
    optimizer.param_groups[0]["betas"] = betas
    scheduler = LRScheduler(peer.ChainedScheduler(parts, optimizer))
    for _ in range(4):
        scheduler(None)
    before = [beta.item() for beta in betas], values_of(optimizer)
    with pytest.raises(ValueError, match="Tried to step"):
        scheduler(None)
    assert ([beta.item() for beta in betas], values_of(optimizer)) == before
    assert all(held is beta for held, beta in zip(optimizer.param_groups[0]["betas"], betas, strict=True))


def test_a_state_that_another_version_of_torch_saved_is_loaded():
    scheduler = LRScheduler(peer.ExponentialLR(optimizer_of(1, tensor=False), 0.5))
    for _ in range(3):
        scheduler(None)
    vars(scheduler.lr_scheduler).pop("_is_initial", None)  # torch 2.4 does not have this attribute
    scheduler.lr_scheduler.verbose = False  # later versions do not have this attribute
    resumed = LRScheduler(peer.ExponentialLR(optimizer_of(1, tensor=False), 0.5))
    resumed.load_state_dict(scheduler.state_dict())
    assert resumed.simulate(4).tolist() == scheduler.simulate(4).tolist()


def test_one_tensor_as_lr_and_initial_lr_is_refused():
    rates = [torch.tensor(rate) for rate in (0.1, 0.7)]
    params = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    optimizer = torch.optim.SGD(params, lr=0.1, foreach=False)
    wrapped = peer.ExponentialLR(optimizer, 0.9)
    optimizer.param_groups[1]["initial_lr"] = rates[1]  # SequentialLR of torch 2.4 does this
    with pytest.raises(
        ValueError, match="'lr' and 'initial_lr' .* must be two tensors, .* given the same tensor in param group 1"
    ):
        LRScheduler(wrapped)


def test_float32_tensors_have_the_values_of_torchs_own_loop():
    def make():
        rates = [torch.tensor(rate) for rate in (0.1, 0.7)]
        params = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
        return torch.optim.SGD(params, lr=0.1, foreach=False)

    for kind in {"ExponentialLR", "CosineAnnealingLR", "SequentialLR", "own"} - {*WITHOUT_TENSORS}:
        optimizer, plain = make(), make()
        scheduler, expected = LRScheduler(TORCH[kind](optimizer)), TORCH[kind](plain)
        for _ in range(30):
            scheduler(None)
            assert values_of(optimizer) == values_of(plain)
            plain.step()
            expected.step()


class Demanding(peer.StepLR):
    def step(self, first, second):
        """Require two arguments, so that they are not only a metric."""


def test_a_step_that_requires_more_than_a_metric_is_refused():
    wrapped = peer.StepLR(make_optimizer(), 3)
    wrapped.__class__ = Demanding
    with pytest.raises(
        TypeError, match=r"a step\(\) that requires at most a metric, given arguments \['first', 'second'\]"
    ):
        LRScheduler(wrapped)


# A ReduceLROnPlateau that gets a metric.


class Renamed(peer.ReduceLROnPlateau):
    def step(self, val_loss):
        super().step(val_loss)


def test_a_metric_may_have_any_name():
    optimizer, trainer = optimizer_of(1, tensor=False), make_trainer()
    scheduler = LRScheduler(Renamed(optimizer, factor=0.5, patience=0))
    trainer.state.metrics = {"loss": 1.0}
    for _ in range(3):
        scheduler(trainer)
    assert values_of(optimizer) == [0.05]


def test_a_metric_that_is_no_number_changes_nothing():
    optimizer, trainer = optimizer_of(1, tensor=False), make_trainer()
    scheduler = LRScheduler(peer.ReduceLROnPlateau(optimizer, factor=0.5, patience=0))
    scheduler(trainer)
    trainer.state.metrics = {"loss": "low"}
    before = scheduler.state_dict()
    with pytest.raises(TypeError, match="the metric must be a number, given 'low'"):
        scheduler(trainer)
    assert scheduler.state_dict() == before
    resumed = LRScheduler(peer.ReduceLROnPlateau(optimizer_of(1, tensor=False), factor=0.5, patience=0))
    resumed.load_state_dict(before)
    assert resumed.state_dict() == before


def test_a_plateau_of_another_configuration_loads_the_saved_counts():
    optimizer, trainer = optimizer_of(1, tensor=False), make_trainer()
    saved = LRScheduler(peer.ReduceLROnPlateau(optimizer, factor=0.5, patience=2))
    trainer.state.metrics = {"loss": 1.0}
    for _ in range(4):
        saved(trainer)
    fresh = optimizer_of(1, tensor=False)
    resumed = LRScheduler(peer.ReduceLROnPlateau(fresh, factor=0.1, patience=2))
    with pytest.warns(UserWarning, match=r"(?s)saved: .*factor=0.5.*now: .*factor=0.1"):
        resumed.load_state_dict(saved.state_dict())
    resumed(trainer)
    assert values_of(fresh) == [pytest.approx(0.01)]


def plateau_of(optimizer):
    return peer.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, min_lr=[0.01, 0.06, 0.3])


def test_a_plateau_gets_the_metric_of_the_event_before():
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


def test_a_legacy_plateau_gets_a_metric_at_its_first_event_too():
    optimizer, plain = optimizer_of(3, tensor=False), optimizer_of(3, tensor=False)
    with pytest.warns(UserWarning, match="use_legacy"):
        scheduler = LRScheduler(plateau_of(optimizer), use_legacy=True)
    expected, trainer = plateau_of(plain), make_trainer()
    for metric in METRICS[:30]:
        trainer.state.metrics = {"loss": torch.tensor(metric, dtype=torch.float64)}
        scheduler(trainer)
        expected.step(metric)
        assert values_of(optimizer) == values_of(plain)


def test_the_error_for_a_missing_metric_lists_the_metrics_that_exist():
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
def test_wrong_arguments_are_refused_by_name(arguments, error, message):
    with pytest.raises(error, match=message):
        LRScheduler(*arguments)


def test_the_name_of_a_metric_must_be_a_string():
    with pytest.raises(TypeError, match="metric_name must be a string, given 3"):
        LRScheduler(peer.StepLR(make_optimizer(), 1), metric_name=3)


@pytest.mark.parametrize(
    "make", [peer.CosineAnnealingLR, peer.CosineAnnealingWarmRestarts], ids=lambda make: make.__name__
)
def test_going_back_takes_few_steps(make):
    class Counting(make):
        def step(self, *args):
            self.counted = getattr(self, "counted", 0) + 1
            steps.append(1)
            super().step(*args)

    steps = []
    optimizer, alone = optimizer_of(2, tensor=False), optimizer_of(2, tensor=False)
    scheduler, expected = LRScheduler(Counting(optimizer, 300)), LRScheduler(make(alone, 300))
    table = expected.simulate(5001)
    for event in (5000, 4999, 2048, 2047, 5000, 4000, 3, 1024):
        scheduler.seek(event)
        steps.clear()
        scheduler(None)
        assert values_of(optimizer) == list(table[event])
        assert len(steps) < 1024 or event == 5000
    scheduler.load_state_dict(scheduler.state_dict())
    scheduler.seek(1000)
    scheduler(None)
    assert values_of(optimizer) == list(table[1000])


def test_a_subclass_may_override_get_param():
    class Halved(LRScheduler):
        def get_param(self):
            return super().get_param()[0] / 2 if isinstance(super().get_param(), list) else super().get_param() / 2

    optimizer = make_optimizer()
    scheduler, alone = Halved(peer.StepLR(optimizer, 2)), LRScheduler(peer.StepLR(make_optimizer(), 2))
    expected = alone.simulate(6)[:, 0] / 2
    assert scheduler.simulate(6)[:, 0].tolist() == expected.tolist()
    for event in range(6):
        scheduler(None)
        assert values_of(optimizer) == [expected[event]]
