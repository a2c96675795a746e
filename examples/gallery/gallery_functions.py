"""Pictures of functions of the event index, which are called when their event comes, and never before."""

import math
from functools import partial

from gallery_picture import schedule, scheduler

from lehr.handlers import LambdaScheduler, MultiplicativeScheduler, ParamScheduler
from lehr.handlers.schedules import Anneal, CumulativeProduct, FunctionSchedule, Rex

of_lr = partial(scheduler, param_name="lr")

SCHEDULERS = [
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

SCHEDULES = [
    schedule(FunctionSchedule, 120,
             ("lambda i: 0.1 * 0.97**i", {"function": lambda i: 0.1 * 0.97**i}),
             ("lambda i: 0.1 * (1 - i % 30 / 30)", {"function": lambda i: 0.1 * (1 - i % 30 / 30)}),
             call="FunctionSchedule(function)"),
    schedule(CumulativeProduct, 120,
             ("lambda i: 0.97", {"function": lambda i: 0.97}),
             ("lambda i: 1 - i / 3000", {"function": lambda i: 1 - i / 3000}),
             call="CumulativeProduct(function)"),
]  # fmt: skip
