"""The finding faster-scheduler: the scheduler that it names has the values of the wrapped scheduler of torch."""

import random

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from optimizers import make_optimizer, values_of
from torch.optim import lr_scheduler as peer

import lehr.handlers
from lehr.handlers import ConcatScheduler, ConstantScheduler, Groups, LRScheduler, ParamGroupScheduler, check_plan
from lehr.handlers.plans.checks.faster_equivalents import FEWEST_EVENTS, LARGEST_DIFFERENCE
from lehr.handlers.schedulers.torch.lehr_equivalents import equal_schedulers

EPOCHS, LENGTH = 2, FEWEST_EVENTS
LENGTHS = (7, 100, 1500, 2000, 2500)

DRAWN = {
    "StepLR": lambda draw, of: peer.StepLR(of, draw.choice(LENGTHS), draw.uniform(0.1, 1)),
    "MultiStepLR": lambda draw, of: peer.MultiStepLR(of, sorted(draw.choices(LENGTHS, k=3)), draw.uniform(0.1, 1)),
    "ExponentialLR": lambda draw, of: peer.ExponentialLR(of, draw.uniform(0.99, 1)),
    "ConstantLR": lambda draw, of: peer.ConstantLR(of, draw.uniform(0.1, 1), draw.choice(LENGTHS)),
    "LinearLR": lambda draw, of: peer.LinearLR(of, draw.uniform(0.01, 1), draw.uniform(0, 1), draw.choice(LENGTHS)),
    "PolynomialLR": lambda draw, of: peer.PolynomialLR(of, draw.choice(LENGTHS), draw.uniform(0.5, 3)),
    "CosineAnnealingLR": lambda draw, of: peer.CosineAnnealingLR(of, draw.choice(LENGTHS), draw.choice([0.0, 0.01])),
    "CosineAnnealingWarmRestarts": lambda draw, of: peer.CosineAnnealingWarmRestarts(
        of, draw.choice(LENGTHS), draw.randint(1, 3), draw.choice([0.0, 0.01])
    ),
    "OneCycleLR": lambda draw, of: peer.OneCycleLR(
        of,
        draw.choice([0.3, [draw.uniform(0.1, 1) for _ in of.param_groups]]),
        draw.choice([2000, 2500]),
        pct_start=draw.choice([0.3, draw.uniform(0.1, 0.45)]),
        anneal_strategy=draw.choice(["cos", "linear"]),
        div_factor=draw.choice([25.0, 7.3]),
        final_div_factor=draw.choice([1e4, 33.0]),
        cycle_momentum=draw.random() < 0.7,
        three_phase=draw.random() < 0.3,
    ),
    "CyclicLR": lambda draw, of: peer.CyclicLR(
        of,
        draw.uniform(0.01, 0.1),
        draw.uniform(0.1, 1),
        draw.choice(LENGTHS),
        draw.choice([None, *LENGTHS]),
        mode=draw.choice(["triangular", "triangular2", "exp_range"]),
        gamma=draw.uniform(0.99, 1),
        cycle_momentum=draw.random() < 0.7,
    ),
    "SequentialLR": lambda draw, of: peer.SequentialLR(
        of,
        [
            peer.LinearLR(of, draw.uniform(0.01, 1), total_iters=100),
            peer.CosineAnnealingLR(of, 1900),
            peer.ConstantLR(of),
        ],
        [100, draw.choice(LENGTHS[2:])],
    ),
}


def checked(scheduler, event=Events.ITERATION_STARTED, epochs=EPOCHS, length=LENGTH):
    optimizer = scheduler.optimizer
    trainer = Engine(lambda engine, batch: optimizer.step())
    scheduler.attach(trainer, event)
    return [one for one in check_plan(trainer, epochs, length) if one.code == "faster-scheduler"]


@pytest.mark.parametrize("name", DRAWN)
def test_the_named_scheduler_has_the_values_of_the_wrapped_one_but_for_rounding(name):
    for seed in range(2):
        draw = random.Random(f"{name} {seed}")
        optimizer = make_optimizer(draw.randint(1, 3), draw.choice([torch.optim.SGD, torch.optim.Adam]))
        scheduler = LRScheduler(DRAWN[name](draw, optimizer))
        (finding,) = checked(scheduler)
        assert (finding.severity, finding.numbers["events"]) == ("info", EPOCHS * LENGTH)
        assert f"torch's {name} takes a step at each of 2000 events" in finding.message
        momentum = "momentum" if "momentum" in optimizer.param_groups[0] else "betas[0]"
        named = equal_schedulers(scheduler.lr_scheduler)
        assert finding.suggestion.startswith(f"use {named[0]}"[:200])
        rates, momenta = scheduler.simulate(EPOCHS * LENGTH), []
        for _ in range(EPOCHS * LENGTH):
            scheduler(None)
            momenta.append(values_of(optimizer, momentum))
        expected = {"lr": rates, "momentum": np.array(momenta)}
        assert len(named) == 1 + getattr(scheduler.lr_scheduler, "cycle_momentum", False)
        for call in named:
            fresh = make_optimizer(len(optimizer.param_groups), type(optimizer))
            values = eval(str(call), {**vars(lehr.handlers), **all_names(), "optimizer": fresh}).simulate(
                EPOCHS * LENGTH
            )
            table = expected[getattr(call, "param_name", "lr")]
            differences = np.abs(values - table).max(axis=0) / table.max(axis=0)
            assert differences.max() <= LARGEST_DIFFERENCE
            if table is rates:
                assert differences.max() == finding.numbers["difference"]


def all_names():
    return {name: getattr(lehr.handlers, name) for name in lehr.handlers.__all__}


class Own(peer.StepLR):
    """A user's class, which may do anything."""


def stepped(optimizer):
    scheduler = peer.ExponentialLR(optimizer, 0.999)
    optimizer.step()
    scheduler.step()
    return scheduler


@pytest.mark.parametrize(
    "make",
    [
        lambda of: Own(of, 100),
        lambda of: peer.LambdaLR(of, lambda epoch: 0.5),
        lambda of: peer.MultiplicativeLR(of, lambda epoch: 0.999),
        lambda of: peer.CyclicLR(of, 0.01, 0.1, scale_fn=lambda cycle: 0.5),
        lambda of: peer.ChainedScheduler([peer.StepLR(of, 100), peer.ExponentialLR(of, 0.999)], of),
        lambda of: peer.SequentialLR(of, [Own(of, 100), peer.StepLR(of, 100)], [500]),
        lambda of: peer.OneCycleLR(of, 0.1, 2000, final_div_factor=float("inf")),
        lambda of: peer.LinearLR(of, total_iters=0),
        stepped,
    ],
)
def test_what_no_scheduler_of_lehr_can_replace_is_no_finding(make):
    assert checked(LRScheduler(make(make_optimizer()))) == []


def test_a_short_run_and_a_selection_of_groups_are_no_findings():
    assert checked(LRScheduler(peer.StepLR(make_optimizer(), 10)), Events.EPOCH_STARTED, 999, 3) == []
    assert len(checked(LRScheduler(peer.StepLR(make_optimizer(), 10)), Events.EPOCH_STARTED, 1000, 3)) == 1
    assert checked(LRScheduler(peer.StepLR(make_optimizer(2), 10), param_group_index=0)) == []
    assert checked(LRScheduler(peer.StepLR(make_optimizer(2), 10), param_group_index=Groups(added="ignore"))) == []


def test_a_wrapped_scheduler_in_another_one_is_no_finding():
    optimizer = make_optimizer()
    wrapped = LRScheduler(peer.StepLR(optimizer, 100))
    assert checked(ConcatScheduler([ConstantScheduler(optimizer, "lr", 0.1), wrapped], [100])) == []
    trainer = Engine(lambda engine, batch: optimizer.step())
    ParamGroupScheduler([LRScheduler(peer.StepLR(optimizer, 100))], ["lr"]).attach(trainer)
    assert "faster-scheduler" not in [one.code for one in check_plan(trainer, EPOCHS, LENGTH)]


def test_a_resumed_run_is_no_finding():
    optimizer = make_optimizer()
    trainer = Engine(lambda engine, batch: optimizer.step())
    scheduler = LRScheduler(peer.StepLR(optimizer, 100))
    scheduler.attach(trainer)
    trainer.run([0] * LENGTH, max_epochs=1)
    assert "faster-scheduler" not in [one.code for one in check_plan(trainer, 3, LENGTH)]


@pytest.mark.filterwarnings("ignore:use_legacy")
def test_a_legacy_scheduler_is_no_finding():
    scheduler = LRScheduler(peer.StepLR(make_optimizer(), 100), use_legacy=True)
    assert checked(scheduler, Events.ITERATION_COMPLETED) == []


def test_the_finding_in_words():
    (finding,) = checked(LRScheduler(peer.CosineAnnealingLR(make_optimizer(), 2000)))
    assert str(finding).splitlines()[0] == "info: faster-scheduler: 'lr': LRScheduler of 'lr' on ITERATION_STARTED"
    assert finding.suggestion == (
        "use CosineDecayScheduler(optimizer, \"lr\", duration=2000, beyond='mirror') in a new run: it cannot load the "
        "state of the wrapped scheduler"
    )
