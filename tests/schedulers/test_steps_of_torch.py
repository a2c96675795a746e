"""Torch's own classes, wrapped: the values, the momenta and the visible state of torch's own loop, bit for bit."""

import json
import random
from functools import partial

import pytest
import torch
from optimizers import make_optimizer, values_of
from torch.optim import lr_scheduler as peer
from torch.optim.swa_utils import SWALR

from lehr.handlers import LRScheduler

EVENTS = 60


def power_of(rate):
    return lambda epoch: rate**epoch


def rising(rate, epoch):
    return rate + epoch / 1000


# Each draws a torch scheduler of an optimizer, whose last_epoch may be given.
DRAWN = {
    "LambdaLR": lambda draw, optimizer, **last: peer.LambdaLR(
        optimizer, [power_of(draw.uniform(0.5, 1)) for _ in optimizer.param_groups], **last
    ),
    "MultiplicativeLR": lambda draw, optimizer, **last: peer.MultiplicativeLR(
        optimizer, partial(rising, draw.uniform(0.5, 1)), **last
    ),
    "StepLR": lambda draw, optimizer, **last: peer.StepLR(
        optimizer, draw.randint(1, 9), draw.uniform(0.1, 1.2), **last
    ),
    "MultiStepLR": lambda draw, optimizer, **last: peer.MultiStepLR(
        optimizer, sorted(draw.choices(range(EVENTS), k=5)), draw.uniform(0.1, 1.2), **last
    ),
    "ConstantLR": lambda draw, optimizer, **last: peer.ConstantLR(
        optimizer, draw.uniform(0.1, 1), draw.randint(1, EVENTS), **last
    ),
    "LinearLR": lambda draw, optimizer, **last: peer.LinearLR(
        optimizer, draw.uniform(0.01, 1), draw.uniform(0, 1), draw.randint(1, EVENTS), **last
    ),
    "ExponentialLR": lambda draw, optimizer, **last: peer.ExponentialLR(optimizer, draw.uniform(0.5, 1.1), **last),
    "PolynomialLR": lambda draw, optimizer, **last: peer.PolynomialLR(
        optimizer, draw.randint(1, EVENTS), draw.uniform(0.5, 3), **last
    ),
    "CosineAnnealingLR": lambda draw, optimizer, **last: peer.CosineAnnealingLR(
        optimizer, draw.randint(2, EVENTS), draw.choice([0, draw.uniform(0, 0.1)]), **last
    ),
    "CosineAnnealingWarmRestarts": lambda draw, optimizer: peer.CosineAnnealingWarmRestarts(
        optimizer, draw.randint(1, EVENTS), draw.randint(1, 3), draw.uniform(0, 0.1)
    ),
    "OneCycleLR": lambda draw, optimizer: peer.OneCycleLR(
        optimizer,
        [draw.uniform(0.1, 1) for _ in optimizer.param_groups],
        EVENTS + draw.randint(0, EVENTS),
        pct_start=draw.uniform(0.1, 0.5),
        anneal_strategy=draw.choice(["cos", "linear"]),
        cycle_momentum=draw.random() < 0.7,
        three_phase=draw.random() < 0.3,
    ),
    "CyclicLR": lambda draw, optimizer: peer.CyclicLR(
        optimizer,
        draw.uniform(0.01, 0.1),
        draw.uniform(0.1, 1),
        draw.randint(1, 20),
        draw.randint(1, 20),
        mode=draw.choice(["triangular", "triangular2", "exp_range"]),
        gamma=draw.uniform(0.9, 1),
        cycle_momentum=draw.random() < 0.7,
    ),
    "SWALR": lambda draw, optimizer: SWALR(
        optimizer, draw.uniform(0.01, 0.1), draw.randint(1, EVENTS), draw.choice(["cos", "linear"])
    ),
    "SequentialLR": lambda draw, optimizer: peer.SequentialLR(
        optimizer,
        [peer.LinearLR(optimizer, draw.uniform(0.01, 1)), peer.CosineAnnealingLR(optimizer, draw.randint(2, EVENTS))],
        [draw.randint(1, 10)],
    ),
    "SequentialLR of three, with a momentum": lambda draw, optimizer: peer.SequentialLR(
        optimizer,
        [
            peer.LinearLR(optimizer, draw.uniform(0.01, 1)),
            peer.OneCycleLR(optimizer, 0.5, 3 * EVENTS),
            peer.ExponentialLR(optimizer, 0.9),
        ],
        sorted(draw.sample(range(1, EVENTS), k=2)),
    ),
    "SequentialLR with restarts": lambda draw, optimizer: peer.SequentialLR(
        optimizer,
        [peer.ExponentialLR(optimizer, 0.9), peer.CosineAnnealingWarmRestarts(optimizer, draw.randint(1, 9))],
        [draw.randint(1, 10)],
    ),
    "ChainedScheduler": lambda draw, optimizer: peer.ChainedScheduler(
        [peer.ConstantLR(optimizer, 0.1, 3), peer.ExponentialLR(optimizer, draw.uniform(0.5, 1))], optimizer
    ),
    "ChainedScheduler with restarts and a momentum": lambda draw, optimizer: peer.ChainedScheduler(
        [
            peer.CyclicLR(optimizer, 0.1, draw.uniform(0.2, 1), draw.randint(1, 20)),
            peer.CosineAnnealingWarmRestarts(optimizer, draw.randint(1, 9), draw.randint(1, 3)),
            peer.ExponentialLR(optimizer, draw.uniform(0.5, 1)),
        ],
        optimizer,
    ),
    "ChainedScheduler of a SequentialLR": lambda draw, optimizer: peer.ChainedScheduler(
        [DRAWN["SequentialLR"](draw, optimizer), peer.ExponentialLR(optimizer, draw.uniform(0.5, 1))], optimizer
    ),
}
MAY_BEGIN_LATER = tuple(DRAWN)[:9]


def drawn(name, seed):
    """A torch scheduler of the classes above, the same one for a seed."""
    draw = random.Random(seed)
    optimizer = make_optimizer(draw.randint(1, 4), draw.choice([torch.optim.SGD, torch.optim.Adam]))
    begun = {}
    if name in MAY_BEGIN_LATER and draw.random() < 0.5:
        begun["last_epoch"] = draw.randint(0, EVENTS)
        for group in optimizer.param_groups:
            group["initial_lr"] = draw.uniform(0.1, 1)
    made = DRAWN[name](draw, optimizer, **begun)
    for _ in range(draw.choice([0, 0, 1, 7])):  # steps before it is wrapped
        optimizer.step()
        made.step()
    return made


def momenta_of(optimizer):
    return values_of(optimizer, "momentum" if "momentum" in optimizer.param_groups[0] else "betas[0]")


def visible(scheduler):
    """What a user sees of a torch scheduler, apart from objects."""
    own = {
        key: value for key, value in vars(scheduler).items() if key not in ("optimizer", "lr_lambdas", "_schedulers")
    }
    own.pop("_scale_fn_ref", None)
    own.pop("anneal_func", None)
    inner = [visible(one) for one in getattr(scheduler, "_schedulers", [])]
    return [*own.items(), type(scheduler.get_last_lr()[0]), *inner]


class TorchLoop:
    """A torch scheduler that torch steps, and what others write is undone before each step."""

    def __init__(self, wrapped):
        self.wrapped, self.optimizer, self.is_first = wrapped, wrapped.optimizer, True

    def __call__(self):
        if not self.is_first:
            self.optimizer.step()
            self.wrapped.step()
        self.is_first = False


def compare(name, seed):
    scheduler, loop, draw = (
        LRScheduler(drawn(name, seed)),
        TorchLoop(drawn(name, seed)),
        random.Random(f"{name} {seed}"),
    )
    optimizer, table = scheduler.optimizer, []
    simulated = scheduler.simulate(EVENTS // 2)
    for event in range(EVENTS // 2):
        scheduler(None)
        loop()
        table.append(values_of(optimizer))
        assert table[-1] == values_of(loop.optimizer) == list(simulated[event])
        assert momenta_of(optimizer) == momenta_of(loop.optimizer)
        assert visible(scheduler.lr_scheduler) == visible(loop.wrapped)
        if draw.random() < 0.1:
            optimizer.param_groups[-1]["lr"] = draw.choice([1.0, values_of(optimizer)[-1], torch.tensor(0.5).item()])
        if draw.random() < 0.05:
            scheduler.seek(draw.randint(0, event + 1))
            scheduler(None)
            scheduler.seek(event + 1)
    if name not in ("LambdaLR", "MultiplicativeLR"):  # whose functions are saved nowhere
        resumed = LRScheduler(drawn(name, seed))
        resumed.optimizer.load_state_dict(optimizer.state_dict())
        resumed.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
        scheduler, optimizer = resumed, resumed.optimizer
    for _ in range(EVENTS // 4):
        scheduler(None)
        loop()
        table.append(values_of(optimizer))
        assert table[-1] == values_of(loop.optimizer)
        assert momenta_of(optimizer) == momenta_of(loop.optimizer)
    for event in (EVENTS // 3, 0, 1):
        scheduler.seek(event)
        scheduler(None)
        assert values_of(optimizer) == table[event]


@pytest.mark.parametrize("name", DRAWN)
def test_events_are_the_steps_of_torchs_own_loop(name):
    for seed in range(3):
        compare(name, seed)


@pytest.mark.proof
@pytest.mark.parametrize("name", DRAWN)
def test_thousands_of_drawn_schedulers_have_the_steps_of_torchs_own_loop(name):
    for seed in range(3, 153):
        compare(name, seed)


CHANGES = {
    "StepLR": {"gamma": 0.3, "step_size": 2},
    "MultiStepLR": {"gamma": 0.3},
    "ExponentialLR": {"gamma": 0.3},
    "LinearLR": {"end_factor": 0.2},
    "PolynomialLR": {"power": 3.0},
    "CosineAnnealingLR": {"eta_min": 0.2, "T_max": 11},
    "CyclicLR": {"total_size": 9.0},
    "CosineAnnealingWarmRestarts": {"T_i": 30, "last_epoch": -1},
    "LambdaLR": {"base_lrs": [2.0, 3.0, 4.0, 5.0]},
}


@pytest.mark.parametrize("name", CHANGES)
def test_an_attribute_that_is_changed_in_mid_run_has_its_effect_at_the_next_event(name):
    scheduler, loop = LRScheduler(drawn(name, 1)), TorchLoop(drawn(name, 1))
    for event in range(20):
        if event == 5:
            for wrapped in (scheduler.lr_scheduler, loop.wrapped):
                for key, value in CHANGES[name].items():
                    setattr(wrapped, key, value[: len(wrapped.base_lrs)] if isinstance(value, list) else value)
        scheduler(None)
        loop()
        assert values_of(scheduler.optimizer) == values_of(loop.optimizer)


# Which steps are taken by get_lr() alone.


@pytest.fixture
def steps(monkeypatch):
    """The calls of a torch scheduler's own ``step()``: it enters this context once."""
    entered, original = [], peer._enable_get_lr_call
    monkeypatch.setattr(peer, "_enable_get_lr_call", lambda one: entered.append(one) or original(one))
    return entered


def stepping_after(events, wrapped):
    scheduler = LRScheduler(wrapped)
    for _ in range(events):
        scheduler(None)
    return scheduler


@pytest.mark.parametrize("name", [name for name in DRAWN if name != "ChainedScheduler of a SequentialLR"])
def test_a_class_of_torchs_own_is_stepped_by_its_get_lr(name, steps):
    wrapped = DRAWN[name](random.Random(0), make_optimizer(2))
    scheduler, milestones = LRScheduler(wrapped), getattr(wrapped, "_milestones", [])
    scheduler(None)
    scheduler(None)  # the optimizer holds the float of the target from now on
    steps.clear()
    for _ in range(20):
        scheduler(None)
    assert len(steps) == sum(2 <= milestone < 22 for milestone in milestones)
    inner = wrapped._schedulers if isinstance(wrapped, peer.ChainedScheduler) else [wrapped]
    assert [one.last_epoch for one in inner] == [21] * len(inner)
    steps.clear()
    scheduler.optimizer.param_groups[1]["lr"] = 8.0
    scheduler(None)
    scheduler.simulate(5, start=23)
    scheduler.seek(30)
    scheduler(None)
    assert len(steps) == sum((22 <= milestone <= 30) + (23 <= milestone <= 27) for milestone in milestones)


@pytest.mark.parametrize("name", ["ExponentialLR", "ChainedScheduler"])
def test_tensors_are_filled_by_torchs_own_step(name, steps):
    wrapped = DRAWN[name](random.Random(0), make_optimizer(2, lr=torch.tensor(0.5)))
    steps.clear()
    stepping_after(5, wrapped)
    assert len(steps) == 4 * len(getattr(wrapped, "_schedulers", [wrapped]))


FAR = {
    "OneCycleLR": lambda optimizer: peer.OneCycleLR(optimizer, [0.1, 0.2], 6000),
    "CyclicLR": lambda optimizer: peer.CyclicLR(optimizer, 0.1, 0.2, 7, 11, mode="exp_range", gamma=0.999),
    "equal restarts": lambda optimizer: peer.CosineAnnealingWarmRestarts(optimizer, 7),
    "growing restarts": lambda optimizer: peer.CosineAnnealingWarmRestarts(optimizer, 3, 2),
}


@pytest.mark.parametrize("name", FAR)
def test_a_seek_skips_steps_that_no_later_step_reads(name, steps, monkeypatch):
    scheduler, loop = LRScheduler(FAR[name](make_optimizer(2))), TorchLoop(FAR[name](make_optimizer(2)))
    called, original = [], type(scheduler.lr_scheduler).get_lr
    for event in range(5001):
        loop()
        if event in (1, 50, 2999, 5000):
            with monkeypatch.context() as patch:
                patch.setattr(type(scheduler.lr_scheduler), "get_lr", lambda one: called.append(1) or original(one))
                scheduler.seek(event)
                scheduler(None)
            assert values_of(scheduler.optimizer) == values_of(loop.optimizer)
            assert momenta_of(scheduler.optimizer) == momenta_of(loop.optimizer)
            assert visible(scheduler.lr_scheduler) == visible(loop.wrapped)
    assert len(called) < 10
    if name != "OneCycleLR":
        scheduler.seek(2**53)
        scheduler(None)
        assert scheduler.lr_scheduler.last_epoch == 2**53


def test_a_seek_past_the_end_of_a_one_cycle_fails_as_torchs_loop_does():
    scheduler = LRScheduler(peer.OneCycleLR(make_optimizer(), 0.1, 40))
    scheduler.seek(1000)
    with pytest.raises(ValueError, match="Tried to step 41 times"):
        scheduler(None)


def test_a_seek_calls_a_users_function_at_each_step():
    called = []
    wrapped = peer.CyclicLR(make_optimizer(), 0.1, 0.2, 7, scale_fn=lambda cycle: called.append(cycle) or 1.0)
    scheduler = LRScheduler(wrapped)
    called.clear()
    scheduler.seek(30)
    scheduler(None)
    assert len(called) == 2 * 30  # for the learning rate, and for the momentum


def test_an_overridden_step_is_called(steps):
    class Own(peer.StepLR):
        """A user's class that overrides nothing."""

    wrapped = Own(make_optimizer(), 3)
    steps.clear()
    stepping_after(5, wrapped)
    assert steps == [wrapped] * 4

    wrapped, called = peer.StepLR(make_optimizer(), 3), []
    wrapped.step = lambda: called.append(1) or peer.StepLR.step(wrapped)
    stepping_after(5, wrapped)
    assert len(called) == 4


def test_a_step_that_another_program_replaced_is_called(monkeypatch):
    original, called = peer.LRScheduler.step, []
    monkeypatch.setattr(peer.LRScheduler, "step", lambda self: called.append(self) or original(self))
    wrapped = peer.StepLR(make_optimizer(), 3)
    called.clear()
    stepping_after(5, wrapped)
    assert called == [wrapped] * 4


def test_a_user_who_changes_the_last_lr_changes_no_event():
    scheduler, loop = LRScheduler(drawn("ExponentialLR", 1)), TorchLoop(drawn("ExponentialLR", 1))
    for _ in range(8):
        scheduler(None)
        loop()
        assert values_of(scheduler.optimizer) == values_of(loop.optimizer)
        scheduler.lr_scheduler.get_last_lr()[0] = 9.0


def test_a_get_lr_that_fails_leaves_the_optimizer_as_it_was():
    optimizer = make_optimizer(2)
    scheduler = stepping_after(4, peer.OneCycleLR(optimizer, 0.3, 50))
    expected = LRScheduler(peer.OneCycleLR(make_optimizer(2), 0.3, 50)).simulate(6)
    before = values_of(optimizer), values_of(optimizer, "momentum")
    peak = optimizer.param_groups[1].pop("max_lr")
    with pytest.raises(KeyError, match="max_lr"):  # after the momentum of the first group is written
        scheduler(None)
    assert (values_of(optimizer), values_of(optimizer, "momentum"), scheduler.event_index) == (*before, 4)
    optimizer.param_groups[1]["max_lr"] = peak
    for event in (4, 5):
        scheduler(None)
        assert values_of(optimizer) == list(expected[event])


@pytest.mark.parametrize(("part", "attribute"), [(1, "total_size"), (2, "total_iters")])
def test_a_chain_that_fails_leaves_the_optimizer_as_it_was(part, attribute):
    def chain():  # its second part writes momenta, too
        optimizer = make_optimizer(2)
        parts = [peer.ExponentialLR(optimizer, 0.9), peer.CyclicLR(optimizer, 0.1, 0.3), peer.ConstantLR(optimizer)]
        return peer.ChainedScheduler(parts, optimizer)

    scheduler, expected = stepping_after(4, chain()), LRScheduler(chain()).simulate(6)
    optimizer, broken = scheduler.optimizer, scheduler.lr_scheduler._schedulers[part]
    before = values_of(optimizer), values_of(optimizer, "momentum")
    value = vars(broken).pop(attribute)
    with pytest.raises(AttributeError, match=attribute):
        scheduler(None)
    assert (values_of(optimizer), values_of(optimizer, "momentum"), scheduler.event_index) == (*before, 4)
    setattr(broken, attribute, value)
    for event in (4, 5):
        scheduler(None)
        assert values_of(optimizer) == list(expected[event])
