"""The cost of one event, beside a bare loop of writes and the same schedule in ignite, torch and mmengine."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from contenders import (
    KINDS,
    LONG,
    PARAMS,
    bare_loop,
    event_of,
    in_torch,
    libraries_of,
    optimizer_of,
    stepping,
    together,
    written,
)
from ignite.engine import Engine
from interleaving import Contender, interleaved, of_size
from torch.utils.data import DataLoader

import lehr.handlers as lehr
from lehr.handlers.schedules import PiecewiseConstant

TARGETS = {  # by groups and history
    (1, False): {"ignite": 0.30, "torch": 0.12},
    (1, True): {"ignite": 0.25},
    (200, False): {"bare loop": 1.15, "torch": 0.06},
}


def in_words(kind, groups, schedulers=1, history=False):
    several = f"{schedulers} schedulers, " if schedulers > 1 else ""
    return f"{kind}, {several}{groups:,} group{'s' * (groups > 1)}{', with history' * history}"


def engine_of_its_own():
    return Engine(lambda engine, batch: None)


@pytest.mark.parametrize("history", [False, True], ids=["plain", "history"])
@pytest.mark.parametrize("schedulers", [1, 4])
@pytest.mark.parametrize("groups", [1, 10, 200, 2000])
def test_an_event_of_a_cosine(side_by_side, groups, schedulers, history):
    names = PARAMS[:schedulers]
    contenders = {}
    for library in libraries_of("cosine"):
        make = KINDS["cosine"][library]
        if library in ("lehr", "ignite"):
            engine, optimizer = engine_of_its_own() if history else None, optimizer_of(groups)
            each = [event_of(library, make(optimizer, name, save_history=history), engine) for name in names]
        elif history:
            continue  # they keep none
        else:  # they schedule one parameter alone: as many optimizers are as many writes
            each = [event_of(library, stepping(make, optimizer_of(groups))) for _ in names]
        contenders[library] = each[0] if schedulers == 1 else together(each)
    contenders["bare loop"] = bare_loop(groups, names)
    targets = TARGETS.get((groups, history)) if schedulers == 1 else None
    side_by_side(in_words("cosine", groups, schedulers, history), contenders, targets)


@pytest.mark.parametrize("groups", [1, 200])
@pytest.mark.parametrize("kind", ["one-cycle", "triangular"])
def test_an_event_of_a_cycle(side_by_side, kind, groups):
    contenders = {
        library: event_of(library, stepping(KINDS[kind][library], optimizer_of(groups)))
        for library in libraries_of(kind)
    }
    side_by_side(in_words(kind, groups), {**contenders, "bare loop": bare_loop(groups)})


@pytest.mark.parametrize("history", [False, True], ids=["plain", "history"])
@pytest.mark.parametrize("groups", [10, 200, 2000])
def test_an_event_of_own_values(side_by_side, groups, history):
    peaks = [0.1 * (1 + group) for group in range(groups)]
    own = lehr.OneCycleScheduler(optimizer_of(groups), "lr", peaks, total_steps=LONG, save_history=history)
    param_groups = optimizer_of(groups).param_groups

    def write():
        for group, value in zip(param_groups, peaks, strict=True):
            group["lr"] = value

    contenders = {
        "lehr": event_of("lehr", own, engine_of_its_own() if history else None),
        "bare loop": Contender(write),
    }
    if not history:
        theirs = stepping(
            lambda optimizer: in_torch.OneCycleLR(optimizer, peaks, total_steps=LONG, cycle_momentum=False),
            optimizer_of(groups),
        )
        contenders["torch"] = event_of("torch", theirs)
    # Each round records a block of events, 8 bytes for each group.
    duration = {"rounds": 10} if history and groups > 1000 else {}
    targets = {"bare loop": 1.5} if groups == 2000 and not history else None
    side_by_side(in_words("one-cycle with own values", groups, history=history), contenders, targets, **duration)


@pytest.mark.parametrize("groups", [1, 200])
def test_an_event_of_a_tensor(side_by_side, groups):
    def with_tensors():
        return optimizer_of(groups, lr=lambda: torch.tensor(0.1))

    param_groups = with_tensors().param_groups

    def fill():
        for group in param_groups:
            group["lr"].fill_(0.5)

    contenders = {
        "lehr": event_of("lehr", KINDS["cosine"]["lehr"](with_tensors())),
        "bare loop of fill_": Contender(fill),
        "torch": event_of("torch", stepping(KINDS["cosine"]["torch"], with_tensors())),
    }
    side_by_side(in_words("cosine, lr a tensor", groups), contenders)


@pytest.mark.parametrize("groups", [1, 10])
def test_an_event_of_a_batch_ramp(side_by_side, groups):
    """The batch size, the learning rate and two betas; beside a bare loop of the writes, and as four schedulers."""
    sizes, milestones = [8, 16], [LONG]
    beta, next_beta = (PiecewiseConstant(values, milestones) for values in ((0.9, 0.8), (0.99, 0.98)))

    def training():
        params = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)]
        return torch.optim.Adam(params, lr=0.1, betas=(0.9, 0.99)), DataLoader(range(64), batch_size=8)

    optimizer, loader = training()
    lr = lehr.CosineDecayScheduler(optimizer, "lr", LONG)
    ramp = lehr.BatchRamp(optimizer, loader, [(0, 8), (LONG, 16)], lr=lr, scale_betas=True)
    other, its_loader = training()
    each = [
        lehr.BatchSizeScheduler(its_loader, PiecewiseConstant(sizes, milestones)),
        lehr.CosineDecayScheduler(other, "lr", LONG),
        lehr.ParamScheduler(other, "betas[0]", schedule=beta),
        lehr.ParamScheduler(other, "betas[1]", schedule=next_beta),
    ]
    bare, bare_sampler = training()[0].param_groups, training()[1].batch_sampler

    def write():
        bare_sampler.batch_size = 8
        for group in bare:
            group["lr"], group["betas"] = 0.1, (0.9, 0.99)

    contenders = {"lehr": event_of("lehr", ramp), "bare loop": Contender(write)}
    contenders["four schedulers of lehr"] = together([event_of("lehr", one) for one in each])
    side_by_side(in_words("batch ramp", groups), contenders)


@pytest.mark.parametrize("kind", KINDS)
def test_events_are_the_same(kind):
    """All contenders write the same values."""
    values = {
        library: written(library, stepping(KINDS[kind][library], optimizer_of(3)), events=700)
        for library in libraries_of(kind)
    }
    for library, ends in values.items():
        assert ends == pytest.approx(values["lehr"], rel=1e-9), library


def test_growth_of_an_event_with_groups(benchmark, add_growth):
    sizes = (10, 200, 2000)
    contenders = {
        (library, groups): event_of(library, stepping(KINDS["cosine"][library], optimizer_of(groups)))
        for groups in sizes
        for library in ("lehr", "ignite", "torch")
    }
    contenders |= {("bare loop", groups): bare_loop(groups) for groups in sizes}
    measured = interleaved(benchmark, contenders)
    few, some, many = (of_size(measured, groups) for groups in sizes)
    add_growth(
        "cost of one more group: from 200 to 2,000 over from 10 to 200",
        {name: np.subtract(many[name], some[name]) / 1800 for name in some},
        {name: np.subtract(some[name], few[name]) / 190 for name in some},
    )


def test_growth_of_an_event_with_schedulers(benchmark, add_growth):
    contenders = {}
    for library in ("lehr", "ignite"):
        make, optimizer = KINDS["cosine"][library], optimizer_of(1)
        each = [event_of(library, make(optimizer, name)) for name in PARAMS]
        contenders |= {(library, 1): each[0], (library, 4): replace(together(each), per=4)}
    measured = interleaved(benchmark, contenders)
    add_growth("cost of a scheduler: 4 over 1", of_size(measured, 4), of_size(measured, 1))
