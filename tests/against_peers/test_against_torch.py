"""Equality with the installed torch, over drawn arguments and beyond the end of the schedule."""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from optimizers import make_optimizer, values_of
from strategies import cyclic, one_cycle, values
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR

from lehr.handlers import CyclicScheduler, OneCycleScheduler
from lehr.handlers.schedules import Cyclic, OneCycle

momentum = st.floats(0.0, 1.0, allow_subnormal=False)
bounds = st.lists(values, min_size=2, max_size=2) | values


def run_torch(make_scheduler, steps, optimizer):
    """The lr and the momentum, or betas[0], that are in force at each step of torch's own loop."""
    cycled = "momentum" if "momentum" in optimizer.defaults else "betas[0]"
    scheduler = make_scheduler(optimizer)
    lr, momentum = [], []
    for step in range(steps):
        lr.append(values_of(optimizer))
        momentum.append(values_of(optimizer, cycled))
        if step < steps - 1:
            optimizer.step()
            scheduler.step()
    return np.array(lr), np.array(momentum)


def assert_close(ours, theirs, *bounds):
    """To 1e-12 of the values' scale, to which the bounds belong: torch subtracts them from one another."""
    scale = max(np.abs(theirs).max(), *(np.abs(bound).max() for bound in bounds))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
@given(
    kwargs=one_cycle(),
    max_lr=bounds,
    factors=st.tuples(st.floats(0.5, 50.0), st.floats(0.5, 1e4)),
    momenta=st.tuples(momentum, momentum),
)
def test_one_cycle(kind, kwargs, max_lr, factors, momenta):
    steps = kwargs.get("total_steps") or kwargs["epochs"] * kwargs["steps_per_epoch"]
    assume(kwargs["pct_start"] * steps != 1)  # torch divides by zero
    div_factor, final_div_factor = factors
    base_momentum, max_momentum = momenta
    lr, momentum = run_torch(
        lambda optimizer: OneCycleLR(
            optimizer,
            max_lr,
            div_factor=div_factor,
            final_div_factor=final_div_factor,
            base_momentum=base_momentum,
            max_momentum=max_momentum,
            **kwargs,
        ),
        steps,
        make_optimizer(2, kind),
    )
    optimizer = make_optimizer(2, kind)
    ours = OneCycleScheduler(
        optimizer, "lr", max_lr, div_factor=div_factor, final_div_factor=final_div_factor, **kwargs
    )
    inverse = OneCycleScheduler(optimizer, "momentum", max_momentum, base_value=base_momentum, inverse=True, **kwargs)
    assert_close(ours.simulate(steps), lr, max_lr)
    assert_close(inverse.simulate(steps), momentum, *momenta)
    # Past its end torch extrapolates once and then raises; we hold the last value.
    assert (ours.simulate(50, start=steps) == ours.simulate(1, start=steps - 1)).all()
    assert (inverse.simulate(50, start=steps) == inverse.simulate(1, start=steps - 1)).all()


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
@given(
    kwargs=cyclic(),
    base_lr=bounds,
    max_lr=bounds,
    momenta=st.tuples(momentum, momentum),
)
def test_cyclic(kind, kwargs, base_lr, max_lr, momenta):
    base_momentum, max_momentum = momenta
    lr, momentum = run_torch(
        lambda optimizer: CyclicLR(
            optimizer, base_lr, max_lr, base_momentum=base_momentum, max_momentum=max_momentum, **kwargs
        ),
        200,
        make_optimizer(2, kind),
    )
    optimizer = make_optimizer(2, kind)
    ours = CyclicScheduler(optimizer, "lr", base_lr, max_lr, **kwargs)
    inverse = CyclicScheduler(optimizer, "momentum", base_momentum, max_momentum, **kwargs, inverse=True)
    assert_close(ours.simulate(200), lr, base_lr, max_lr)
    assert_close(inverse.simulate(200), momentum, *momenta)


def test_deviations():
    """Where we differ, on purpose, and what torch does there."""
    optimizer = make_optimizer()
    theirs = OneCycleLR(optimizer, 1.0, total_steps=10, anneal_strategy="linear")
    for _ in range(10):
        optimizer.step()
        theirs.step()
    assert values_of(optimizer)[0] < 0
    with pytest.raises(ValueError, match="Tried to step 11 times"):
        theirs.step()
    ours = OneCycleScheduler(make_optimizer(), "lr", 1.0, total_steps=10, anneal_strategy="linear")
    assert ours.simulate(1000)[-1, 0] == 1 / 25 / 1e4

    with pytest.raises(ZeroDivisionError):
        OneCycleLR(make_optimizer(), 1.0, total_steps=4, pct_start=0.25)
    ours = OneCycleScheduler(make_optimizer(), "lr", 1.0, total_steps=4, pct_start=0.25)
    assert ours.simulate(4)[:, 0].round(3).tolist() == [1.0, 0.75, 0.25, 0.0]

    OneCycleLR(make_optimizer(), 1.0, total_steps=4, epochs=7, steps_per_epoch=3)
    with pytest.raises(ValueError, match="either total_steps or both"):
        OneCycleScheduler(make_optimizer(), "lr", 1.0, total_steps=4, epochs=7, steps_per_epoch=3)


def test_leftovers_in_the_groups_do_not_count():
    optimizer = make_optimizer()
    for group in optimizer.param_groups:
        group.update(initial_lr=7.0, max_lr=7.0, min_lr=7.0)
    scheduler = OneCycleScheduler(optimizer, "lr", 1.0, total_steps=10)
    scheduler(None)
    assert values_of(optimizer) == [1 / 25]


@pytest.mark.parametrize(("ours", "theirs"), [(OneCycleScheduler, OneCycleLR), (CyclicScheduler, CyclicLR)])
def test_arguments_have_the_same_defaults(ours, theirs):
    schedule = {OneCycleScheduler: OneCycle, CyclicScheduler: Cyclic}[ours]
    own = inspect.signature(ours).parameters
    for other in (inspect.signature(theirs).parameters, inspect.signature(schedule).parameters):
        shared = [name for name in own if name in other and name not in ("optimizer", "total_steps")]
        assert len(shared) >= 5
        assert {name: own[name].default for name in shared} == {name: other[name].default for name in shared}
