"""What Hypothesis draws schedules from."""

import math

from hypothesis import strategies as st

values = st.floats(1e-9, 10.0)
ratios = st.floats(0.25, 1.5)
sizes = st.integers(2, 40)
# Cycles that grow fast enough to see some, and slowly enough to see several.
growths = st.just(1.0) | st.floats(1.0, 2.5)


@st.composite
def cyclical(draw, warmup: bool = True):
    """The arguments of ignite's cyclical schedulers."""
    return {
        "start_value": draw(values),
        "end_value": draw(values),
        "cycle_size": draw(sizes),
        "cycle_mult": draw(growths),
        "start_value_mult": draw(ratios),
        "end_value_mult": draw(ratios),
        "warmup_duration": draw(st.integers(0, 10)) if warmup else 0,
    }


@st.composite
def piecewise(draw):
    """The points of a piecewise linear schedule."""
    milestones = sorted(draw(st.sets(st.integers(0, 150), min_size=1, max_size=6)))
    return [(milestone, draw(values)) for milestone in milestones]


@st.composite
def one_cycle(draw):
    """The arguments that OneCycleScheduler shares with torch's OneCycleLR."""
    length = draw(
        st.integers(1, 120).map(lambda steps: {"total_steps": steps})
        | st.tuples(st.integers(1, 6), st.integers(1, 20)).map(
            lambda pair: {"epochs": pair[0], "steps_per_epoch": pair[1]}
        )
    )
    return {
        **length,
        "pct_start": draw(st.floats(0.0, 1.0)),
        "anneal_strategy": draw(st.sampled_from(["cos", "linear"])),
        "three_phase": draw(st.booleans()),
    }


@st.composite
def cyclic(draw):
    """The arguments that CyclicScheduler shares with torch's CyclicLR."""
    scaling = draw(
        st.sampled_from([{"mode": "triangular"}, {"mode": "triangular2"}])
        | st.floats(0.9, 1.01).map(lambda gamma: {"mode": "exp_range", "gamma": gamma})
        | st.sampled_from(["cycle", "iterations"]).map(
            lambda mode: {"scale_fn": lambda x: 1 / (1 + 0.1 * x), "scale_mode": mode}
        )
    )
    steps = st.integers(1, 40) | st.floats(1.0, 40.0)
    return {"step_size_up": draw(steps), "step_size_down": draw(st.none() | steps), **scaling}


# The arguments that plateaus share with torch's, and metrics to feed them.
plateaus = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["min", "max"]),
        "factor": st.floats(0.0, 0.99),
        "patience": st.integers(0, 3),
        "threshold": st.floats(0.0, 0.5),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "cooldown": st.integers(0, 3),
        "eps": st.sampled_from([0.0, 1e-8, 0.05]),
    },
)
metrics = st.lists(st.floats(-3.0, 3.0) | st.integers(-2, 2) | st.just(math.nan), min_size=1, max_size=30)
