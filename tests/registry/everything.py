"""A trainer with everything that a dry run might touch, and all of it to be compared."""

import copy
import os
import random
import warnings

import numpy as np
import torch
from ignite.engine import Engine, Events
from optimizers import make_optimizer, make_trainer, snapshot
from real_runs import COUNTING
from registry import rounded
from rigs import TORCH, Lazy
from torch.utils.data import DataLoader

from lehr.engine import OptimizerEvents
from lehr.handlers import (
    BatchSizeScheduler,
    ConcatScheduler,
    CosineDecayScheduler,
    LinearScheduler,
    LRScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    ReduceOnPlateauScheduler,
    StateParamScheduler,
)
from lehr.handlers.schedules import Anneal, Constant, Plateau


class CalledError(BaseException):
    """Somebody was called whom a dry run must leave alone."""


def fail(*args):
    raise CalledError


class Untouchable(torch.utils.data.Dataset):
    """Data that nobody may look at."""

    def __len__(self):
        return 8

    __getitem__ = __iter__ = fail


class Everything:
    """A trainer with one scheduler of each kind, and with handlers that nobody may call."""

    def __init__(self, ran):
        self.trainer = Engine(lambda engine, batch: [optimizer.step() for optimizer in self.optimizers])
        self.evaluator = make_trainer()
        self.loader = DataLoader(Untouchable(), batch_size=2)
        rate = torch.tensor(0.5, dtype=torch.float64)
        self.optimizers = [
            make_optimizer(2),
            make_optimizer(2, torch.optim.Adam, lr=rate, foreach=False, capturable=False),
            make_optimizer(1),
        ]
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["params"][0].grad = torch.ones(2)
                group["lr"] = group["lr"].clone() if optimizer is self.optimizers[1] else group["lr"]
        self.schedulers = []
        self.attach()
        if ran:
            self.trainer.run([0] * 4, max_epochs=ran)
        for event in (*Events, *OptimizerEvents):
            if self.trainer.has_registered_events(event):
                self.trainer.add_event_handler(event, fail)
            if self.evaluator.has_registered_events(event):
                self.evaluator.add_event_handler(event(every=1) if event in (Events.STARTED,) else event, fail)
        self.trainer._process_function = self.evaluator._process_function = fail

    def attach(self):
        sgd, adam, third = self.optimizers
        plateau = ReduceOnPlateauScheduler(third, "lr", "loss", factor=0.5, patience=0, missing_policy="ignore")
        inner = ReduceOnPlateauScheduler(
            third, "momentum", "loss", factor=0.5, initial_value=0.3, missing_policy="ignore"
        )
        phases = PhaseScheduler(
            third, "dampening", [Constant(0.5), Anneal(1.0, 0.0, 9)], flat=Plateau(patience=99), save_history=True
        )
        group = ParamGroupScheduler(
            [
                CosineDecayScheduler(adam, "betas[1]", 9),
                StateParamScheduler("grouped", schedule=COUNTING),
            ],
            save_history=True,
        )
        concatenation = ConcatScheduler([LinearScheduler(third, "momentum", 4, 0.1, 0.9), inner], [4])
        attached = [
            (ParamScheduler(sgd, "weight_decay", True, schedule=rounded), Events.ITERATION_STARTED(every=2)),
            (LRScheduler(TORCH["OneCycleLR"](sgd), save_history=True), OptimizerEvents.STEP_STARTED),
            (LRScheduler(Lazy(adam)), Events.ITERATION_COMPLETED),
            (group, Events.ITERATION_STARTED | Events.EPOCH_COMPLETED),
            (BatchSizeScheduler(self.loader, lambda event: event + 1, True), Events.EPOCH_STARTED),
            (StateParamScheduler("rate", True, True, schedule=lambda event: [event]), Events.COMPLETED),
            (phases, Events.GET_BATCH_STARTED(after=1)),
            (concatenation, Events.ITERATION_STARTED),
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            for scheduler, event in attached:
                scheduler.attach(self.trainer, event)
        plateau.attach(self.evaluator, Events.COMPLETED)
        by_hand = ParamScheduler(third, "weight_decay", schedule=rounded)
        self.trainer.add_event_handler(Events.EPOCH_STARTED(every=2), by_hand)
        self.trainer.add_event_handler(Events.EPOCH_COMPLETED(once=3), phases.next_phase)
        self.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: self.evaluator.run([0]))
        self.schedulers += [*(scheduler for scheduler, _ in attached), plateau, inner, by_hand]

    def seen(self):
        """All that a dry run might change, as far as it can be compared."""
        engines = [
            (
                {name: (id(value), repr(value), copy.copy(value)) for name, value in vars(engine.state).items()},
                {name: value for name, value in vars(engine).items() if isinstance(value, bool | int | str | None)},
                id(engine.state),
                engine.last_event_name,
                {
                    event: [(id(one), *map(repr, more)) for one, *more in h]
                    for event, h in engine._event_handlers.items()
                },
                engine.state_dict(),
            )
            for engine in (self.trainer, self.evaluator)
        ]
        optimizers = [
            (
                snapshot(optimizer),
                id(optimizer.param_groups),
                [(id(group), [id(value) for value in group.values()]) for group in optimizer.param_groups],
                [
                    (id(param), param.tolist(), id(param.grad))
                    for group in optimizer.param_groups
                    for param in group["params"]
                ],
                repr(optimizer.state),
                repr(optimizer.defaults),
                len(optimizer._optimizer_step_pre_hooks),
                len(optimizer._optimizer_step_post_hooks),
            )
            for optimizer in self.optimizers
        ]
        schedulers = [
            (
                scheduler.state_dict(),
                {name: (id(value), repr(value)) for name, value in vars(scheduler).items()},
                [repr(vars(one)) for one in getattr(scheduler, "_writers", [])],
                repr(vars(scheduler.lr_scheduler)) if hasattr(scheduler, "lr_scheduler") else None,
            )
            for scheduler in self.schedulers
        ]
        history = getattr(self.trainer.state, "param_history", None)
        around = (
            random.getstate(),
            torch.get_rng_state().tolist(),
            [np.asarray(part).tolist() for part in np.random.get_state()],  # noqa: NPY002
            sorted(os.listdir()),
            len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0,
            list(warnings.filters),
            np.geterr(),
            torch.is_grad_enabled(),
        )
        loader = (self.loader.batch_sampler.batch_size, vars(self.loader.batch_sampler).keys(), self.loader.batch_size)
        return engines, optimizers, schedulers, repr(history), history and history.state_dict(), around, loader
