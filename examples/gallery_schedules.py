"""The pictures of schedules and of curves, from one value to another.

A schedule is a function of the event index: ``schedule(0)``, or ``schedule(numpy.arange(100))`` for many at once. It is
drawn by ``ParamScheduler.plot_values``. One that a metric drives is given a loss before each event.
"""

from dataclasses import replace

from gallery_picture import LOSSES, Picture, schedule, shown, values_line

from lehr.handlers.schedules import (
    Anneal,
    Approach,
    Bounded,
    Concatenation,
    Constant,
    Cooldown,
    Cosine,
    CosineAnnealing,
    CumulativeProduct,
    Curve,
    Cyclic,
    Exponential,
    ExponentialDecay,
    FunctionSchedule,
    Greedy,
    Handover,
    InverseTimeDecay,
    KDecay,
    Linear,
    LinearCyclical,
    LinearInterpolation,
    Mapped,
    MultiStepDecay,
    Noise,
    OneCycle,
    Phases,
    PiecewiseConstant,
    Plateau,
    Polynomial,
    Power,
    PowerDecay,
    Product,
    Recursion,
    Reduced,
    Restarts,
    Reversed,
    Rex,
    Scaling,
    Shift,
    SideBySide,
    StepDecay,
    Stretch,
    Tanh,
    Turn,
    WarmupStableDecay,
    Window,
)

fall = Anneal(0.1, 0.0, 100, Cosine())
warmup = Anneal(0.0, 0.1, 20)
waves = CosineAnnealing(0.1, 0.01, cycle_size=40)
rise, halves = LinearInterpolation([(0, 0.0), (20, 1.0)]), ExponentialDecay(1.0, 0.5, 40, staircase=True)
approach = Turn(Approach(Anneal(1.0, 0.0, 120, Cosine()), end_value=0.05, base_value=0.1), end=121)
scaling = Turn(Scaling(ExponentialDecay(1.0, 0.97)), begin=20, end=60)

# 1. With a formula of their own.

FORMULAS = [
    schedule(Anneal, 150,
             {"beyond": "hold"}, {"beyond": "mirror"}, {"beyond": "stretch"},
             start_value=0.1, end_value=0.0, duration=50, curve=Polynomial(2.0)),
    schedule(Restarts, 140,
             {"restart_weights": 1.0}, {"restart_weights": 0.6, "curve": Linear()},
             start_value=0.1, end_value=0.0, periods=20, period_mult=2),
    schedule(OneCycle, 100,
             {"pct_start": 0.3}, {"pct_start": 0.5, "anneal_strategy": "linear"},
             max_value=0.1, total_steps=100),
    schedule(Cyclic, 200,
             {"step_size_down": 25}, {"step_size_down": 75, "mode": "triangular2"},
             base_value=0.01, max_value=0.1, step_size_up=25),
    schedule(CosineAnnealing, 150,
             {"warmup_duration": 0}, {"warmup_duration": 20, "start_value_mult": 0.8},
             start_value=0.1, end_value=0.001, cycle_size=30),
    schedule(LinearCyclical, 150,
             {"cycle_mult": 1}, {"cycle_mult": 1.5, "end_value_mult": 0.7},
             start_value=0.0, end_value=0.1, cycle_size=30),
    schedule(WarmupStableDecay, 120,
             *({"warmup_type": kind, "decay_type": kind} for kind in ("linear", "cosine", "1-sqrt")),
             peak_value=0.1, num_warmup_events=40, num_stable_events=30, num_decay_events=40),
    schedule(LinearInterpolation, 120, milestones_values=[(0, 0.0), (20, 0.1), (60, 0.1), (100, 0.01)]),
    schedule(ExponentialDecay, 100, {"gamma": 0.98}, {"gamma": 0.94}, {"gamma": 0.9}, initial_value=0.1),
    schedule(PowerDecay, 200,
             {"power": 0.5}, {"power": 1.0}, {"power": 2.0},
             initial_value=0.1, timescale=40),
    schedule(InverseTimeDecay, 200,
             {"exponent": 0.5}, {"exponent": 1.0}, {"exponent": 1.5},
             initial_value=0.1, decay_rate=1.0, decay_events=25),
    schedule(StepDecay, 120, {"step_size": 40}, {"step_size": 20}, initial_value=0.1, gamma=0.5),
    schedule(MultiStepDecay, 120, {"gamma": 0.1}, {"gamma": 0.5}, initial_value=0.1, milestones=[30, 80, 100]),
    schedule(PiecewiseConstant, 120, constants=[0.02, 0.1, 0.05, 0.01], milestones=[15, 60, 90]),
    schedule(Constant, 120, {"value": 0.1}, {"value": 0.02}),
]  # fmt: skip

# 2. Made of others.

AROUND_OTHERS = [
    schedule(Concatenation, 140, {"durations": [20]}, {"durations": [40]}, schedules=[warmup, fall]),
    schedule(Product, 140,
             ("[fall]", {"schedules": [fall]}), ("[fall, rise]", {"schedules": [fall, rise]}),
             ("[fall, rise, halves]", {"schedules": [fall, rise, halves]}),
             call="Product(schedules)"),
    schedule(SideBySide, 140, schedules=[fall, LinearInterpolation([(0, 0.0), (20, 0.03), (140, 0.0)])]),
    schedule(Shift, 140, {"by": 40}, {"by": -30}, itself=True, schedule=fall),
    schedule(Stretch, 150, {"by": 5}, {"by": 12}, itself=True, schedule=Anneal(0.1, 0.0, 10)),
    schedule(Window, 150,
             {"begin": 30, "end": 80}, {"begin": 30, "interval": 15}, {"begin": 30, "before": 0.02},
             schedule=fall),
    schedule(Cooldown, 140,
             {"begin": 40}, {"begin": 90}, {"begin": 90, "curve": Power(0.5)},
             itself=True, schedule=PowerDecay(0.1, 30), duration=40),
    schedule(Bounded, 120, {"at_least": 0.02}, {"at_least": 0.03, "at_most": 0.07}, itself=True, schedule=fall),
    schedule(Handover, 120,
             {"duration": 40, "start_value": 0.02}, {"duration": 80, "start_value": 0.05},
             itself=True, schedule=fall, begin=0),
    schedule(Noise, 120, {"std": 0.05}, {"std": 0.3, "begin": 30, "end": 70}, itself=True, schedule=fall),
    schedule(Mapped, 120,
             ("lambda lr: 0.3 * lr", {"function": lambda lr: 0.3 * lr}),
             ("lambda lr: 1e-3 / lr", {"function": lambda lr: 1e-3 / lr}),
             itself=True, schedule=waves, call="Mapped(CosineAnnealing(0.1, 0.01, 40), function=...)"),
    schedule(Phases, 130,
             *({"starts": [start]} for start in (30, 60, 90)),
             phases=[Constant(0.1), Anneal(1.0, 0.0, 50)], end=120),
    schedule(Recursion, 140,
             ("Approach alone", {"turns": [approach]}), ("Scaling alone", {"turns": [scaling]}),
             ("one upon the other", {"turns": [approach, scaling]}),
             initial_value=0.1, call="Recursion(0.1, [Turn(Approach(...), end=121), Turn(Scaling(...), 20, 60)])"),
]  # fmt: skip

# 3. Called, or given a metric, when their event comes.


def driven(schedule: Plateau | Greedy | Reduced) -> list[float]:
    """The values under the losses, one after another."""
    values = []
    for event, loss in enumerate(LOSSES):
        schedule.observe(loss)
        values.append(schedule(event))
    return values


def by_loss(call: str, **schedules: Plateau | Greedy | Reduced) -> Picture:
    """A picture of schedules that the losses drive."""
    lines = {label.replace("_is_", "="): values_line(driven(one)) for label, one in schedules.items()}
    return Picture(call.split("(")[0], call, lines, losses=LOSSES)


LIVE = [
    schedule(FunctionSchedule, 120,
             ("lambda i: 0.1 * 0.97**i", {"function": lambda i: 0.1 * 0.97**i}),
             ("lambda i: 0.1 * (1 - i % 30 / 30)", {"function": lambda i: 0.1 * (1 - i % 30 / 30)}),
             call="FunctionSchedule(function)"),
    schedule(CumulativeProduct, 120,
             ("lambda i: 0.97", {"function": lambda i: 0.97}),
             ("lambda i: 1 - i / 3000", {"function": lambda i: 1 - i / 3000}),
             call="CumulativeProduct(function)"),
    by_loss("Plateau(factor=0.5, initial_value=0.1, patience=...)",
            patience_is_10=Plateau(factor=0.5, initial_value=0.1, patience=10),
            patience_is_4=Plateau(factor=0.5, initial_value=0.1, patience=4)),
    by_loss("Greedy(0.05, factor=0.8, max_value=0.1, patience=...)",
            patience_is_5=Greedy(0.05, factor=0.8, max_value=0.1, patience=5),
            patience_is_2=Greedy(0.05, factor=0.8, max_value=0.1, patience=2)),
    by_loss("Reduced(Anneal(0.1, 0, 120), Plateau(factor=0.5, patience=...))",
            patience_is_10=Reduced(Anneal(0.1, 0.0, 120), Plateau(factor=0.5, patience=10)),
            patience_is_4=Reduced(Anneal(0.1, 0.0, 120), Plateau(factor=0.5, patience=4))),
]  # fmt: skip

SCHEDULES = [*FORMULAS, *AROUND_OTHERS, *LIVE]

# 4. Curves: the way of an ``Anneal`` from one value to another.


def along(*curves: Curve) -> Picture:
    """A picture of a curve with different arguments."""
    variants = [(shown(curve), {"curve": curve}) for curve in curves]
    call = "Anneal(start_value=0.1, end_value=0, duration=100, curve=...)"
    one = schedule(Anneal, 120, *variants, call=call, start_value=0.1, end_value=0.0, duration=100)
    return replace(one, name=type(curves[0]).__name__)


CURVES = [
    along(Linear()),
    along(Cosine()),
    along(Polynomial(0.5), Polynomial(2.0), Polynomial(4.0)),
    along(Power(0.5), Power(2.0), Power(4.0)),
    along(Exponential(0.1), Exponential(0.01), Exponential(0.001)),
    along(Tanh(), Tanh(-3.0, 3.0), Tanh(-6.0, 6.0)),
    along(Rex(), Rex(0.8), Rex(0.95)),
    along(KDecay(Cosine(), 1.0), KDecay(Cosine(), 2.0), KDecay(Cosine(), 4.0)),
    along(Reversed(Power(0.5)), Reversed(Exponential(0.01)), Reversed(Rex())),
]
