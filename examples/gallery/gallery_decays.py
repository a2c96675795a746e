"""Pictures of decays: schedulers and schedules that fall from a first value, and constants."""

from functools import partial

from gallery_picture import make_optimizer, schedule, scheduler

from lehr.handlers import (
    ConstantScheduler,
    CosineDecayScheduler,
    ExponentialScheduler,
    InverseSquareRootScheduler,
    InverseTimeDecayScheduler,
    LinearScheduler,
    MultiStepScheduler,
    PiecewiseConstantScheduler,
    PolynomialScheduler,
    StepScheduler,
    WarmupStableDecayScheduler,
)
from lehr.handlers.schedules import (
    Anneal,
    Constant,
    ExponentialDecay,
    InverseTimeDecay,
    MultiStepDecay,
    PiecewiseConstant,
    Polynomial,
    PowerDecay,
    StepDecay,
    WarmupStableDecay,
)

of_lr = partial(scheduler, param_name="lr")

SCHEDULERS = [
    of_lr(CosineDecayScheduler, 200,
          {"end_value": 0.0}, {"end_value": 0.03}, {"end_value": 0.01, "beyond": "mirror"},
          start_value=0.1, duration=100),
    of_lr(WarmupStableDecayScheduler, 120,
          *({"decay_type": kind} for kind in ("linear", "cosine", "1-sqrt", "power", "exponential")),
          peak_value=0.1, num_warmup_events=15, num_stable_events=45, num_decay_events=60),
    of_lr(PolynomialScheduler, 120,
          *({"power": power} for power in (0.5, 1.0, 2.0, 4.0)), {"power": 2.0, "cycle": True},
          start_value=0.1, duration=60),
    of_lr(LinearScheduler, 120,
          {"end_value": 0.0}, {"end_value": 0.02, "interval": 10}, {"end_value": 0.0, "end": 50},
          start_value=0.1, duration=100),
    of_lr(ExponentialScheduler, 100,
          {"gamma": 0.98}, {"gamma": 0.94}, {"gamma": 0.5, "decay_events": 20, "staircase": True},
          initial_value=0.1),
    of_lr(InverseSquareRootScheduler, 400,
          *({"timescale": timescale} for timescale in (160, 40, 10)),
          initial_value=0.1),
    of_lr(InverseTimeDecayScheduler, 200,
          {"decay_rate": 0.3}, {"decay_rate": 1.0}, {"decay_rate": 1.0, "staircase": True},
          initial_value=0.1, decay_events=25),
    of_lr(StepScheduler, 120, {"gamma": 0.5}, {"gamma": 0.1}, initial_value=0.1, step_size=30),
    of_lr(MultiStepScheduler, 120,
          {"milestones": [60, 90], "gamma": 0.1}, {"milestones": [20, 40, 60, 80], "gamma": 0.6},
          initial_value=0.1),
    of_lr(PiecewiseConstantScheduler, 120,
          {"constants": [0.1, 0.05, 0.01], "milestones": [60, 90]},
          {"constants": [0.02, 0.1, 0.06, 0.0], "milestones": [15, 50, 110]}),
    of_lr(ConstantScheduler, 120,
          {"value": 0.08}, {"value": 0.02, "begin": 40}, {"value": 0.05, "begin": 80},
          optimizer=make_optimizer()),  # which has a learning rate of 0.1 until they begin
]  # fmt: skip

SCHEDULES = [
    schedule(Anneal, 150,
             {"beyond": "hold"}, {"beyond": "mirror"}, {"beyond": "stretch"},
             start_value=0.1, end_value=0.0, duration=50, curve=Polynomial(2.0)),
    schedule(WarmupStableDecay, 120,
             *({"warmup_type": kind, "decay_type": kind} for kind in ("linear", "cosine", "1-sqrt")),
             peak_value=0.1, num_warmup_events=40, num_stable_events=30, num_decay_events=40),
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
