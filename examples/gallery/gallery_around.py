"""Pictures of schedules that are made of other schedules."""

from gallery_picture import schedule

from lehr.handlers.schedules import (
    Anneal,
    Approach,
    Bounded,
    Concatenation,
    Constant,
    Cooldown,
    Cosine,
    CosineAnnealing,
    ExponentialDecay,
    Handover,
    LinearInterpolation,
    Mapped,
    Noise,
    Phases,
    Power,
    PowerDecay,
    Product,
    Recursion,
    Scaling,
    Shift,
    SideBySide,
    Stretch,
    Turn,
    Window,
)

fall = Anneal(0.1, 0.0, 100, Cosine())
warmup = Anneal(0.0, 0.1, 20)
waves = CosineAnnealing(0.1, 0.01, cycle_size=40)
rise, halves = LinearInterpolation([(0, 0.0), (20, 1.0)]), ExponentialDecay(1.0, 0.5, 40, staircase=True)
approach = Turn(Approach(Anneal(1.0, 0.0, 120, Cosine()), end_value=0.05, base_value=0.1), end=121)
scaling = Turn(Scaling(ExponentialDecay(1.0, 0.97)), begin=20, end=60)

SCHEDULES = [
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
