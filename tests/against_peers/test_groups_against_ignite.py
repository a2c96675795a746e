"""Groups of schedulers: equality with the installed ignite, in real engines."""

from against_ignite import EVENTS, assert_close, few, peer, run
from hypothesis import given
from hypothesis import strategies as st
from optimizers import make_optimizer
from strategies import cyclical, piecewise
from torch.optim import lr_scheduler

import lehr.handlers as own

members = st.tuples(
    st.sampled_from(["CosineAnnealingScheduler", "LinearCyclicalScheduler", "PiecewiseLinear"]),
    st.sampled_from(["lr", "momentum"]),
    st.integers(0, 2),
    cyclical(warmup=False),
    piecewise(),
)
groups = st.lists(members, min_size=1, max_size=4)


def grouped(library, drawn, optimizer, **changed):
    """The members, of which each has its own parameter, group and arguments."""
    return [
        getattr(library, kind)(
            optimizer,
            param_name,
            param_group_index=index,
            **({"milestones_values": points} if kind == "PiecewiseLinear" else {**cycle, **changed}),
        )
        for kind, param_name, index, cycle, points in drawn
    ]


@few
@given(drawn=groups)
def test_groups_of_schedulers_leave_and_record_the_same(drawn):
    results = []
    for library in (peer, own):
        optimizer, names = make_optimizer(3), [f"member {at}" for at in range(len(drawn))]
        scheduler = library.ParamGroupScheduler(grouped(library, drawn, optimizer), names, save_history=True)
        results.append(run(scheduler, optimizer, "lr", "momentum"))
    (expected, their_history), (written, history) = results
    assert_close(written, expected)
    assert list(history) == list(their_history)
    for name in their_history:
        assert_close(history[name], their_history[name])


@few
@given(drawn=groups, seen=st.integers(0, EVENTS))
def test_groups_of_schedulers_simulate_and_tell_the_same_within_the_first_cycle(drawn, seen):
    """From the second cycle on, and in the warm-up before it, ignite tells what it does not write."""
    simulated, told = [], []
    for library in (peer, own):
        optimizer = make_optimizer(3)
        schedulers = grouped(library, drawn, optimizer, cycle_size=EVENTS + 1)
        simulated.append(library.ParamGroupScheduler.simulate_values(EVENTS, schedulers, names=["a"] * len(drawn)))
        scheduler = library.ParamGroupScheduler(schedulers, ["a"] * len(drawn))
        for _ in range(seen):
            scheduler(None)
        told.append(scheduler.get_param())
    assert_close(simulated[1], simulated[0])
    assert_close(told[1], told[0])


@few
@given(
    kwargs=st.lists(cyclical(), min_size=1, max_size=3),
    points=piecewise(),
    durations=st.lists(st.integers(1, 20), min_size=3, max_size=3),
    names=st.none() | st.lists(st.sampled_from(["lr", "momentum", "weight_decay"]), min_size=1, max_size=3),
    wrapped=st.booleans(),
)
def test_concatenations_simulate_the_same_parameters(kwargs, points, durations, names, wrapped):
    def simulated(library):
        optimizer = make_optimizer(2)
        schedulers = [
            library.PiecewiseLinear(optimizer, "lr", points),
            *(library.CosineAnnealingScheduler(optimizer, "lr", **each) for each in kwargs),
        ]
        if wrapped:
            torch_scheduler = lr_scheduler.OneCycleLR(optimizer, 0.7, total_steps=EVENTS + 1)
            schedulers[-1] = library.LRScheduler(torch_scheduler)
        return library.ConcatScheduler.simulate_values(EVENTS, schedulers, durations[: len(kwargs)], names)

    assert_close(simulated(own), simulated(peer))
