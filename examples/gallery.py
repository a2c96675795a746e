"""Draw every scheduler and every schedule into ``examples/gallery/``: ``python examples/gallery.py``.

Each picture is an entry of a list: the class, how many events, and its arguments; those in which the lines differ come
first. Nothing is trained, and there is no model: the ``plot_values`` of a class draws what it would write.

The pictures of schedulers that are made of others are in ``gallery_composed.py``, those of schedules in
``gallery_schedules.py``, and how a picture is drawn in ``gallery_picture.py``.
"""

import argparse
import math
from functools import partial
from pathlib import Path

from gallery_composed import COMPOSED, make_optimizer
from gallery_picture import save, scheduler
from gallery_schedules import CURVES, SCHEDULES

from lehr.handlers import (
    BatchSizeScheduler,
    ConstantScheduler,
    CosineAnnealingScheduler,
    CosineDecayScheduler,
    CosineRestartScheduler,
    CyclicScheduler,
    ExponentialScheduler,
    ExpStateScheduler,
    InverseSquareRootScheduler,
    InverseTimeDecayScheduler,
    LambdaScheduler,
    LambdaStateScheduler,
    LinearCyclicalScheduler,
    LinearScheduler,
    MultiplicativeScheduler,
    MultiStepScheduler,
    MultiStepStateScheduler,
    OneCycleScheduler,
    ParamScheduler,
    PiecewiseConstantScheduler,
    PiecewiseLinear,
    PiecewiseLinearStateScheduler,
    PolynomialScheduler,
    StateParamScheduler,
    StepScheduler,
    StepStateScheduler,
    WarmupStableDecayScheduler,
)
from lehr.handlers.schedules import Anneal, Cosine, LinearInterpolation, Rex

# 1. Cycles of the learning rate, and decays of it.

of_lr = partial(scheduler, param_name="lr")

CYCLES = [
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
DECAYS = [
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

# 2. Functions of the event index. They are called when their event comes, never before.

FUNCTIONS = [
    of_lr(ParamScheduler, 120,
          ("lambda i: 0.1 * (1 - i % 30 / 30)", {"schedule": lambda i: 0.1 * (1 - i % 30 / 30)}),
          {"schedule": Anneal(0.1, 0.0, 120, Rex())},
          call='ParamScheduler(optimizer, "lr", schedule=...)'),
    of_lr(LambdaScheduler, 120,
          ("lambda i: 0.97**i", {"factor_fn": lambda i: 0.97**i}),
          ("lambda i: 1 / math.log(math.e + i)", {"factor_fn": lambda i: 1 / math.log(math.e + i)}),
          initial_value=0.1, call='LambdaScheduler(optimizer, "lr", factor_fn=..., initial_value=0.1)'),
    of_lr(MultiplicativeScheduler, 120,
          ("lambda i: 0.97", {"factor_fn": lambda i: 0.97}),
          ("lambda i: 1 - i / 3000", {"factor_fn": lambda i: 1 - i / 3000}),
          initial_value=0.1, call='MultiplicativeScheduler(optimizer, "lr", factor_fn=..., initial_value=0.1)'),
]  # fmt: skip

# 3. Other places: an attribute of ``engine.state``, and the batch size of a data loader.

STATES = [
    scheduler(StateParamScheduler, 100,
              {"schedule": Anneal(0.5, 0.1, 80, Cosine())}, {"schedule": Anneal(0.5, 0.1, 80)},
              param_name="dropout", create_new=True),
    scheduler(LambdaStateScheduler, 200,
              lambda_obj=lambda i: 20 / (20 + math.exp(i / 20)), param_name="teacher_forcing",
              call='LambdaStateScheduler(lambda i: 20 / (20 + math.exp(i / 20)), "teacher_forcing")'),
    scheduler(PiecewiseLinearStateScheduler, 120, milestones_values=[(20, 0.0), (70, 1.0)], param_name="kl_weight"),
    scheduler(ExpStateScheduler, 120, {"gamma": 0.98}, {"gamma": 0.95}, initial_value=5.0, param_name="temperature"),
    scheduler(StepStateScheduler, 110, initial_value=64, gamma=2, step_size=30, param_name="sequence_length"),
    scheduler(MultiStepStateScheduler, 120,
              {"gamma": 0.5}, {"gamma": 0.1},
              initial_value=1.0, milestones=[40, 60, 100], param_name="loss_weight"),
    scheduler(BatchSizeScheduler, 60,
              ("lambda epoch: 32 * 2 ** (epoch // 15)", {"scheduler_fn": lambda epoch: 32 * 2 ** (epoch // 15)}),
              {"scheduler_fn": LinearInterpolation([(0, 32), (50, 256)])},
              call="BatchSizeScheduler(loader, scheduler_fn=...)", look={"event": "event (an epoch)"}),
]  # fmt: skip

SCHEDULERS = [*CYCLES, *DECAYS, *FUNCTIONS, *COMPOSED, *STATES]


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(description="A picture of every scheduler, schedule and curve.")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "gallery", help="folder of the pictures")
    folder = parser.parse_args().output
    (folder / "schedules").mkdir(parents=True, exist_ok=True)
    for picture in SCHEDULERS:
        save(picture, folder)
    for picture in (*SCHEDULES, *CURVES):
        save(picture, folder / "schedules")
    print(f"wrote {len(SCHEDULERS)} schedulers, {len(SCHEDULES)} schedules and {len(CURVES)} curves to {folder}/")


if __name__ == "__main__":
    main()
