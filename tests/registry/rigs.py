"""Schedulers that are more than a pure schedule in an optimizer, each on all that it needs.

What the table of ``registry.py`` is for those that are, this one is for the others: the ones that write elsewhere, that
hold several schedulers, that wrap a torch scheduler, or that are driven by a metric.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from optimizers import make_optimizer, make_trainer, values_of
from registry import CASE_IDS, CASES, Example
from torch.optim import lr_scheduler as peer
from torch.utils.data import DataLoader
from torch_schedulers import TORCH, WITHOUT_TENSORS, halved

from lehr.handlers import (
    BatchRamp,
    BatchSizeScheduler,
    ConcatScheduler,
    CosineAnnealingScheduler,
    ExpStateScheduler,
    LambdaStateScheduler,
    LRScheduler,
    MetricScheduler,
    MultiStepStateScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    PhaseScheduler,
    PiecewiseLinear,
    PiecewiseLinearStateScheduler,
    ReduceLROnPlateauScheduler,
    ReduceOnPlateauScheduler,
    StateParamScheduler,
    StepStateScheduler,
    configure_scheduler,
    create_lr_scheduler_with_warmup,
)
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    CosineAnnealing,
    Greedy,
    LinearInterpolation,
    Mapped,
    Plateau,
    Product,
)

METRICS = [3.0, 2.0, 2.1, 2.2, 1.0, 1.0, 1.1, math.nan, 0.5, 0.6] * 8


TORCH_IN_TORCH = [
    {
        "type": "torch.SequentialLR",
        "schedulers": [
            {
                "type": "torch.SequentialLR",
                "schedulers": [
                    {"type": "torch.LinearLR", "start_factor": 0.1},
                    {
                        "type": "torch.CyclicLR",
                        "base_lr": 0.1,
                        "max_lr": 0.3,
                        "step_size_up": 3,
                        "cycle_momentum": False,
                    },
                ],
                "milestones": [4],
            },
            {"type": "torch.ExponentialLR", "gamma": 0.9},
        ],
        "milestones": [12],
    }
]
OVERLAPPING = [
    {"type": "mmengine.LinearLR", "start_factor": 0.1, "end": 10},
    {"type": "mmengine.CosineAnnealingLR", "begin": 2, "end": 30, "eta_min": 0.01},
    {"type": "mmengine.ExponentialLR", "begin": 25, "gamma": 0.99},
]
PLATEAU_BESIDE_A_WARMUP = [
    {"type": "torch.LinearLR", "start_factor": 0.1, "total_iters": 6},
    {"type": "torch.ReduceLROnPlateau", "patience": 1, "factor": 0.5, "min_lr": [0.01, 0.02, 0.2]},
]
NOISY_PLATEAU = [
    {
        "type": "timm.PlateauLRScheduler",
        "mode": "min",
        "patience_t": 1,
        "decay_rate": 0.5,
        "warmup_t": 3,
        "noise_range_t": 6,
        "noise_std": 0.1,
    }
]


@dataclass
class Rig:
    """A scheduler and its surroundings: ``read`` tells what stands where it writes."""

    scheduler: Any
    read: Callable[[], list[float]]
    engine: Engine = field(default_factory=make_trainer)
    event: Any = Events.ITERATION_STARTED
    metrics: list[float] | None = None
    observe: Callable[[Engine], None] | None = None  # what is fed apart from the scheduler's own events

    def fire(self, events: int = 1) -> list[list[float]]:
        """What the next events leave there."""
        rows = []
        for _ in range(events):
            if self.metrics is not None:
                self.engine.state.metrics = {"loss": self.metrics[self.scheduler.event_index]}
            if self.observe is not None:
                self.observe(self.engine)
            self.scheduler(self.engine)
            rows.append(self.read())
        return rows


def optimizer_of(groups: int, tensor: bool) -> torch.optim.Optimizer:
    """An optimizer with a learning rate of its own in each group."""
    rates = [0.1 * (group + 1) for group in range(groups)]
    params = [
        {
            "params": [torch.nn.Parameter(torch.zeros(2))],
            "lr": torch.tensor(rate, dtype=torch.float64) if tensor else rate,
        }
        for rate in rates
    ]
    return torch.optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.01, **({"foreach": False} if tensor else {}))


def _in_optimizer(
    make: Callable[..., Any], groups: int = 1, tensor: bool = False, param_name: str = "lr", **more: Any
) -> Rig:
    optimizer = optimizer_of(groups, tensor)
    return Rig(make(optimizer), lambda: values_of(optimizer, param_name), **more)


def _wrapped(kind: str, groups: int, tensor: bool, **kwargs: Any) -> Rig:
    return _in_optimizer(
        lambda optimizer: LRScheduler(TORCH[kind](optimizer), save_history=True, **kwargs), groups, tensor
    )


def _legacy() -> Rig:
    with pytest.warns(UserWarning, match="skips the first value"):
        return _wrapped("ExponentialLR", 3, False, use_legacy=True)


def _grouped(optimizer: Any) -> ParamGroupScheduler:
    members = [
        CosineAnnealingScheduler(optimizer, "lr", 1.0 / (1 + group), 0.01, 9, param_group_index=group)
        for group in range(len(optimizer.param_groups))
    ]
    return ParamGroupScheduler(members, save_history=True)


def _grouped_and_wrapped(optimizer: Any) -> ConcatScheduler:
    return ConcatScheduler([_grouped(optimizer), LRScheduler(TORCH["OneCycleLR"](optimizer))], [7], save_history=True)


def _wrapped_in_a_group(optimizer: Any) -> ParamGroupScheduler:
    wrapped = LRScheduler(TORCH["ExponentialLR"](optimizer))
    decay = ParamScheduler(optimizer, "weight_decay", schedule=CosineAnnealing(0.1, 0.0, 9), param_group_index=1)
    return ParamGroupScheduler([wrapped, decay], ["lr", "decay"], save_history=True)


def _plateau(optimizer: Any, **kwargs: Any) -> ReduceOnPlateauScheduler:
    arguments = {"factor": 0.5, "patience": 1, "cooldown": 1, "min_value": 1e-4, **kwargs}
    return ReduceOnPlateauScheduler(optimizer, arguments.pop("param_name", "lr"), "loss", **arguments)


def _plateau_after_a_warmup() -> Rig:
    optimizer = optimizer_of(3, tensor=False)
    plateau = _plateau(optimizer)
    warmup = PiecewiseLinear(optimizer, "lr", [(0, 0.0), (5, [0.1, 0.2, 0.3])])
    scheduler = ConcatScheduler([warmup, plateau], [5], save_history=True)
    return Rig(scheduler, lambda: values_of(optimizer), metrics=METRICS, observe=plateau.observe)


def _phases(flat: bool) -> Rig:
    optimizer = optimizer_of(3, tensor=False)
    later = [Anneal(1.0, 0.5, duration=5), LinearInterpolation([(0, [1.0, 1.0, 1.0]), (30, [0.5, 0.1, 0.0])])]
    scheduler = PhaseScheduler(
        optimizer,
        "lr",
        [Constant([0.1, 0.2, 0.3]), *later],
        save_history=True,
        starts=[] if flat else [4],
        end=None if flat else 40,
        flat=Plateau(patience=0) if flat else None,
    )
    if flat:
        return Rig(scheduler, lambda: values_of(optimizer), metrics=METRICS, observe=scheduler.observe)
    return Rig(scheduler, lambda: values_of(optimizer))


def _coupled() -> Rig:
    """The weight decay, and a batch size, as functions of the learning rate."""
    optimizer, loader = optimizer_of(1, tensor=False), DataLoader(torch.zeros(8), batch_size=2)
    lr = CosineAnnealingScheduler(optimizer, "lr", 0.4, 0.1, 20)
    decay = ParamScheduler(optimizer, "weight_decay", schedule=Mapped(lr.schedule, a_tenth))
    sizes = BatchSizeScheduler(loader, Mapped(lr.schedule, at_constant_noise))
    scheduler = ParamGroupScheduler([lr, decay, sizes], ["coupled"] * 3, save_history=True)
    return Rig(
        scheduler,
        lambda: [
            optimizer.param_groups[0]["lr"],
            optimizer.param_groups[0]["weight_decay"],
            float(loader.batch_sampler.batch_size),  # type: ignore[union-attr]
        ],
    )


def _ramp() -> Rig:
    """A batch size with the learning rate and betas that fit it."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))], lr=0.1, betas=(0.9, 0.99))
    loader = DataLoader(torch.zeros(8), batch_size=2)
    lr = CosineAnnealingScheduler(optimizer, "lr", 0.4, 0.1, 20)
    scheduler = BatchRamp(optimizer, loader, "0: 2, 9: 4, 20: 6", lr=lr, scale_betas=True, save_history=True)
    scheduler.names = ["ramp"] * len(scheduler.names)  # one history of all its values
    return Rig(
        scheduler,
        lambda: [
            loader.batch_sampler.batch_size,  # type: ignore[union-attr, list-item]
            optimizer.param_groups[0]["lr"],
            *optimizer.param_groups[0]["betas"],
        ],
        event=Events.EPOCH_STARTED,
    )


def a_tenth(lr: float) -> float:
    return 0.1 * lr


def at_constant_noise(lr: float) -> float:
    return 6.4 / lr


def _named() -> Rig:
    optimizer = optimizer_of(3, tensor=False)
    for name, group in zip(("head", "body", "body"), optimizer.param_groups, strict=True):
        group["name"] = name
    schedule = Anneal(0.4, [0.1, 0.2], duration=20)
    scheduler = ParamScheduler(optimizer, "lr", save_history=True, param_group_index="body", schedule=schedule)
    return Rig(scheduler, lambda: values_of(optimizer)[1:])


def _plateau_of_a_decay() -> Rig:
    optimizer = optimizer_of(3, tensor=False)
    plateau = Plateau(factor=0.5, patience=0)
    schedule = Product([CosineAnnealing(1.0, 0.1, 20), plateau, LinearInterpolation([(0, [1.0, 2.0, 3.0])])])
    scheduler = ParamScheduler(optimizer, "lr", save_history=True, schedule=schedule)
    return Rig(
        scheduler,
        lambda: values_of(optimizer),
        metrics=METRICS,
        observe=lambda engine: plateau.observe(engine.state.metrics["loss"]),
    )


class OwnState(StateParamScheduler):
    """A user's own, written as for ignite."""

    def get_param(self):
        return 3 * self.event_index


def _state(make: Callable[..., Any], **kwargs: Any) -> Rig:
    scheduler, engine = make(param_name="rate", save_history=True, create_new=True, **kwargs), make_trainer()
    return Rig(scheduler, lambda: [getattr(engine.state, "rate", None)], engine)


def _batch_size(scheduler_fn: Any) -> Rig:
    loader = DataLoader(torch.zeros(8), batch_size=2)
    scheduler = BatchSizeScheduler(loader, scheduler_fn, save_history=True)
    return Rig(scheduler, lambda: [loader.batch_sampler.batch_size], event=Events.EPOCH_STARTED)


RIGS: dict[str, Callable[[], Rig]] = {
    **{
        f"{kind}, {groups} groups, {'tensor' if tensor else 'float'}": partial(_wrapped, kind, groups, tensor)
        for kind in TORCH
        for groups, tensor in ((1, False), (3, True))  # test_faults_of_ignite.py has all four
        if not (tensor and kind in WITHOUT_TENSORS)
    },
    "torch, legacy": _legacy,
    "torch after a warm-up": partial(
        _in_optimizer,
        lambda optimizer: create_lr_scheduler_with_warmup(TORCH["StepLR"](optimizer), 0.0, 5, 0.5, save_history=True),
        groups=3,
    ),
    "cosine after a warm-up": partial(
        _in_optimizer,
        lambda optimizer: create_lr_scheduler_with_warmup(
            CosineAnnealingScheduler(optimizer, "lr", 0.3, 0.1, 10), 0.0, 5, 0.3, save_history=True
        ),
        groups=3,
    ),
    "groups": partial(_in_optimizer, _grouped, groups=3),
    "groups, tensors": partial(_in_optimizer, _grouped, groups=3, tensor=True),
    "groups, then torch": partial(_in_optimizer, _grouped_and_wrapped, groups=3),
    "torch in a group": partial(_in_optimizer, _wrapped_in_a_group, groups=3),
    "plateau": partial(_in_optimizer, partial(_plateau, save_history=True), groups=3, metrics=METRICS),
    "plateau, tensors": partial(
        _in_optimizer, partial(_plateau, save_history=True), groups=3, tensor=True, metrics=METRICS
    ),
    "plateau of one group": partial(
        _in_optimizer, partial(_plateau, save_history=True, param_group_index=1), groups=3, metrics=METRICS
    ),
    "plateau of the weight decay": partial(
        _in_optimizer,
        partial(_plateau, save_history=True, param_name="weight_decay", min_value=[0.001, 0.002, 0.003]),
        groups=3,
        param_name="weight_decay",
        metrics=METRICS,
    ),
    "plateau of the learning rate": partial(
        _in_optimizer,
        lambda optimizer: ReduceLROnPlateauScheduler(
            optimizer, "loss", save_history=True, factor=0.5, patience=1, min_lr=[0.01, 0.06, 0.3]
        ),
        groups=3,
        metrics=METRICS,
    ),
    "plateau after a warm-up": _plateau_after_a_warmup,
    "plateau of a decay": _plateau_of_a_decay,
    "torch's plateau": partial(
        _in_optimizer,
        lambda optimizer: LRScheduler(
            peer.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, min_lr=[0.01, 0.06, 0.3]), save_history=True
        ),
        groups=3,
        metrics=METRICS,
    ),
    "phases": partial(_phases, flat=False),
    "phases, by a metric": partial(_phases, flat=True),
    "coupled": _coupled,
    "batch ramp": _ramp,
    "groups by a name": _named,
    "metric": partial(
        _in_optimizer,
        lambda optimizer: MetricScheduler(
            optimizer,
            "lr",
            "loss",
            Concatenation([CosineAnnealing(0.1, 0.5, 5), Plateau(factor=0.5, patience=1, initial_value=0.3)], [5]),
            save_history=True,
        ),
        groups=3,
        metrics=METRICS,
    ),
    "metric, greedy": partial(
        _in_optimizer,
        lambda optimizer: MetricScheduler(
            optimizer,
            "lr",
            "loss",
            Greedy([0.1, 0.2, 0.3], patience=0, factor=0.5, smooth=True, window_size=3, min_value=0.01, reset_start=2),
            save_history=True,
        ),
        groups=3,
        tensor=True,
        metrics=METRICS,
    ),
    **{
        f"configured: {name}": partial(
            _in_optimizer,
            partial(configure_scheduler, config={"schedulers": config, "save_history": True}),
            groups=3,
            metrics=METRICS if by_metric else None,
        )
        for name, config, by_metric in (
            ("torch in torch", TORCH_IN_TORCH, False),
            ("rules upon one another", OVERLAPPING, False),
            ("a warmed up plateau with noise", NOISY_PLATEAU, True),
            ("a plateau beside a warm-up", PLATEAU_BESIDE_A_WARMUP, True),
        )
    },
    "state": partial(_state, StateParamScheduler, schedule=CosineAnnealing(1.0, 0.1, 10)),
    "state of a function": partial(_state, StateParamScheduler, schedule=halved),
    "own state": partial(_state, OwnState),
    "lambda state": partial(_state, LambdaStateScheduler, lambda_obj=halved),
    "linear state": partial(_state, PiecewiseLinearStateScheduler, milestones_values=[(2, 1.0), (9, 0.1)]),
    "exponential state": partial(_state, ExpStateScheduler, initial_value=2.0, gamma=0.9),
    "step state": partial(_state, StepStateScheduler, initial_value=2, gamma=3, step_size=7),
    "multi-step state": partial(_state, MultiStepStateScheduler, initial_value=2.0, gamma=0.5, milestones=[1, 9, 9]),
    "batch size of a function": partial(_batch_size, lambda epoch: 2 + epoch),
    "batch size of a schedule": partial(_batch_size, LinearInterpolation([(0, 2), (30, 100)])),
}


def _rig_of(example: Example, groups: int) -> Rig:
    optimizer = make_optimizer(groups)
    return Rig(example(optimizer, save_history=True), lambda: values_of(optimizer))


# All schedulers of both tables.
ALL = {**RIGS, **{name: partial(_rig_of, *case) for name, case in zip(CASE_IDS, CASES, strict=True)}}
