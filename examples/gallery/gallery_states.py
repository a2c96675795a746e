"""Pictures of schedulers of an attribute of ``engine.state``, and of the batch size of a data loader."""

import math

from gallery_picture import scheduler

from lehr.handlers import (
    BatchRamp,
    BatchSizeScheduler,
    ExpStateScheduler,
    LambdaStateScheduler,
    MultiStepStateScheduler,
    PiecewiseLinearStateScheduler,
    StateParamScheduler,
    StepStateScheduler,
)
from lehr.handlers.schedules import Anneal, Cosine, LinearInterpolation

SCHEDULERS = [
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
    scheduler(BatchRamp, 60,
              {"sizes": [(0, 32), (20, 64), (40, 128)]}, {"sizes": "0 samples: 32, 1k: 96"}, lr_rule=None,
              call='BatchRamp(optimizer, loader, "0 samples: 32, 1k: 96")'),
]  # fmt: skip
