"""Pictures of cycles: schedulers and schedules that rise and fall, once or again and again."""

from functools import partial

from gallery_picture import schedule, scheduler

from lehr.handlers import (
    CosineAnnealingScheduler,
    CosineRestartScheduler,
    CyclicScheduler,
    LinearCyclicalScheduler,
    OneCycleScheduler,
    PiecewiseLinear,
)
from lehr.handlers.schedules import (
    CosineAnnealing,
    Cyclic,
    Linear,
    LinearCyclical,
    LinearInterpolation,
    OneCycle,
    Restarts,
)

of_lr = partial(scheduler, param_name="lr")

SCHEDULERS = [
    of_lr(OneCycleScheduler, 100,
          {"anneal_strategy": "cos"}, {"anneal_strategy": "linear"}, {"three_phase": True},
          max_value=0.1, total_steps=100),
    of_lr(CyclicScheduler, 200,
          {"mode": "triangular"}, {"mode": "triangular2"}, {"mode": "exp_range", "gamma": 0.985},
          base_value=0.01, max_value=0.1, step_size_up=25),
    of_lr(LinearCyclicalScheduler, 160,
          {"monotonic": False}, {"monotonic": True, "end_value_mult": 0.7},
          start_value=0.0, end_value=0.1, cycle_size=40),
    of_lr(CosineAnnealingScheduler, 190,
          {"cycle_mult": 1}, {"cycle_mult": 1.5, "start_value_mult": 0.7},
          start_value=0.1, end_value=0.001, cycle_size=40),
    of_lr(CosineRestartScheduler, 150,
          {"T_0": 20, "T_mult": 2}, {"periods": [75, 50, 25], "restart_weights": [1, 0.7, 0.4]},
          start_value=0.1),
    of_lr(PiecewiseLinear, 120, milestones_values=[(0, 0.0), (20, 0.1), (60, 0.1), (100, 0.01)]),
]  # fmt: skip

SCHEDULES = [
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
    schedule(LinearInterpolation, 120, milestones_values=[(0, 0.0), (20, 0.1), (60, 0.1), (100, 0.01)]),
]  # fmt: skip
