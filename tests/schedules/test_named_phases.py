"""Tests of the phases of a schedule: their first events and their names."""

from itertools import pairwise

import numpy as np
from cases import for_each

from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    Cooldown,
    CosineAnnealing,
    Handover,
    LinearInterpolation,
    Mapped,
    OneCycle,
    Phases,
    Product,
    Shift,
    Stretch,
    WarmupStableDecay,
    Window,
)
from lehr.handlers.schedules.named_phases import phases_of

WARMUP, COSINE = LinearInterpolation([(0, 0.0), (10, 0.1)]), CosineAnnealing(0.1, 0.0, 30)
TWO = Concatenation([WARMUP, COSINE], [10])
WSD = WarmupStableDecay(0.1, num_warmup_events=3, num_stable_events=5, num_decay_events=4)
FACTORS = [Constant(1.0), Anneal(1.0, 0.5, 5), Anneal(1.0, 0.0, 5)]

TABLE = {
    "one piece": (COSINE, []),
    "a function of one piece": (Mapped(COSINE, abs), []),
    "concatenation": (TWO, [(0, "warm-up"), (10, "cosine annealing")]),
    "concatenation with a member of no length": (
        Concatenation([WARMUP, Constant(1.0), COSINE], [10, 0]),
        [(0, "warm-up"), (10, "cosine annealing")],
    ),
    "concatenation that begins with a member of no length": (
        Concatenation([WARMUP, COSINE], [0]),
        [(0, "cosine annealing")],
    ),
    "concatenation within one": (
        Concatenation([Constant(0.1), TWO, WSD], [5, 30]),
        [
            (0, "constant"),
            (5, "warm-up"),
            (15, "cosine annealing"),
            (35, "warm-up"),
            (38, "stable"),
            (43, "decay"),
        ],
    ),
    "concatenation that cuts one off": (
        Concatenation([TWO, COSINE], [7]),
        [(0, "warm-up"), (7, "cosine annealing")],
    ),
    "warm-up, stable, decay": (WSD, [(0, "warm-up"), (3, "stable"), (8, "decay")]),
    "no warm-up": (WarmupStableDecay(0.1, 0, 5, 4), [(0, "stable"), (5, "decay")]),
    "nothing stable": (WarmupStableDecay(0.1, 3, 0, 4), [(0, "warm-up"), (3, "decay")]),
    "one cycle": (OneCycle(1.0, 50), [(0, "up"), (14, "down")]),
    "one cycle, inverse": (OneCycle(1.0, 50, base_value=0.5, inverse=True), [(0, "down"), (14, "up")]),
    "one cycle, three phases": (OneCycle(1.0, 50, three_phase=True), [(0, "up"), (14, "down"), (28, "end")]),
    "one cycle, three uneven phases": (
        OneCycle(1.0, 50, pct_start=0.33, three_phase=True),
        [(0, "up"), (16, "down"), (31, "end")],
    ),
    "one cycle, all up": (OneCycle(1.0, 50, pct_start=1.0), [(0, "up"), (49, "down")]),
    "one cycle, all down": (OneCycle(1.0, 50, pct_start=0.0), [(0, "down")]),
    "one cycle, no third phase": (
        OneCycle(1.0, 50, pct_start=0.8, three_phase=True),
        [(0, "up"), (39, "down")],
    ),
    "cool-down": (Cooldown(Constant(0.2), 20, 20), [(0, "constant"), (20, "cool-down")]),
    "cool-down of phases": (
        Cooldown(TWO, 8, 20),
        [(0, "warm-up"), (8, "cool-down")],
    ),
    "cool-down at once": (Cooldown(Constant(0.2), 0, 20), [(0, "cool-down")]),
    "hand-over": (Handover(COSINE, 4, 3), [(0, "as before"), (4, "hand-over"), (7, "cosine annealing")]),
    "hand-over at once, of phases": (
        Handover(TWO, 0, 3),
        [(0, "hand-over"), (3, "warm-up"), (10, "cosine annealing")],
    ),
    "hand-over into the last phase": (
        Handover(TWO, 5, 9),
        [(0, "as before"), (5, "hand-over"), (14, "cosine annealing")],
    ),
    "window": (
        Window(COSINE, 2, 9),
        [(0, "before"), (2, "cosine annealing"), (9, "held")],
    ),
    "window with an end alone": (Window(COSINE, end=9), [(0, "cosine annealing"), (9, "held")]),
    "window without ends": (Window(COSINE), []),
    "window of phases": (
        Window(TWO, 2, 14),
        [(0, "before"), (2, "warm-up"), (12, "cosine annealing"), (14, "held")],
    ),
    "window that moves now and then": (
        Window(TWO, 2, interval=4),
        [(0, "before"), (2, "warm-up"), (14, "cosine annealing")],
    ),
    "shift": (Shift(TWO, 4), [(0, "warm-up"), (6, "cosine annealing")]),
    "shift beyond the first": (Shift(TWO, 10), [(0, "cosine annealing")]),
    "shift back": (Shift(WSD, -2), [(0, "warm-up"), (5, "stable"), (10, "decay")]),
    "shift of one piece": (Shift(COSINE, 4), []),
    "stretch": (Stretch(WSD, 10), [(0, "warm-up"), (30, "stable"), (80, "decay")]),
    "stretch of one piece": (Stretch(COSINE, 10), []),
    "product": (Product([COSINE, WSD, TWO]), [(0, "warm-up"), (3, "stable"), (8, "decay")]),
    "phases": (
        Phases(FACTORS, starts=[4, 9]),
        [(0, "constant"), (4, "linear"), (9, "linear")],
    ),
    "phases of which one is still to begin": (Phases(FACTORS, starts=[4]), [(0, "constant"), (4, "linear")]),
    "phases of which none has begun": (Phases(FACTORS), [(0, "constant")]),
}


@for_each("name", TABLE)
def test_phases_begin_at_the_expected_events(name):
    schedule, expected = TABLE[name]
    found = [(segment.first_event, segment.name) for segment in phases_of(schedule)]
    assert found == expected


@for_each("pct_start", np.linspace(0.1, 0.45, 15))
@for_each("total_steps", [30, 47])
def test_one_cycle_phases_begin_where_its_values_turn(pct_start, total_steps):
    schedule = OneCycle(1.0, total_steps, pct_start=pct_start, three_phase=True)
    values = schedule(np.arange(total_steps, dtype=float))
    firsts = [*(int(segment.first_event) for segment in phases_of(schedule)), total_steps - 1]
    up, down, end = (np.diff(values[first : last + 1]) for first, last in pairwise(firsts))
    assert (up[:-1] > 0).all()
    assert (down < 0).all()
    assert (end < 0).all()
    initial = 1.0 / 25
    assert values[firsts[2]] <= initial + 1e-12
    assert firsts[2] < 1 or values[firsts[2] - 1] > initial - 1e-12
