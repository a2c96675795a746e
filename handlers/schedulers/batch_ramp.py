"""``BatchRamp``, which changes the batch size in steps, and scales the learning rate and the betas to fit it."""

from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from ignite.engine import Engine, Events
from ignite.engine.events import RemovableEventHandle
from torch.utils.data import DataLoader, TensorDataset

from lehr.engine import OptimizerEvents
from lehr.engine.times_fired import each_of
from lehr.handlers.core.attaching import AnyEvent
from lehr.handlers.core.base_values import BaseValues, has_trained, read_base_values
from lehr.handlers.core.clocks.clock import Clock
from lehr.handlers.core.param_group_scheduler import ParamGroupScheduler
from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules import PiecewiseConstant, Product, RunLength, Schedule, arguments
from lehr.handlers.schedules.arguments import Number, shown
from lehr.handlers.targets.param_groups import HasParamGroups, ParamGroups, PlaceholderOptimizer

from .batch_size import BatchSizeScheduler
from .batch_thresholds import Sizes, as_thresholds, in_events
from .chained import ChainedScheduler

LR_RULES: dict[str, Callable[[float], float]] = {
    "sqrt": lambda ratio: ratio**0.5,
    "linear": lambda ratio: ratio,
    "none": lambda ratio: 1.0,
}
# When one of these events fires, the batch has been fetched already, perhaps with the previous batch size.
FETCHED = (Events.GET_BATCH_COMPLETED, Events.ITERATION_STARTED, OptimizerEvents.STEP_STARTED)


class BatchRamp(ParamGroupScheduler):
    """Changes the batch size of a data loader at thresholds, and scales the learning rate and the betas to match.

    Let s(i) be the batch size at event i, and ``k = s(i) / s(0)``. The values are::

        batch size(i) = s(i), which changes at the first event after a threshold was reached
        lr(i)         = schedule(i) * k ** 0.5       for lr_rule="sqrt", for Adam
        lr(i)         = schedule(i) * k              for lr_rule="linear", for SGD
        beta(i)       = 1 - k * (1 - beta)           with scale_betas, for each group's two betas

    By default, the scheduler is attached to ``GET_BATCH_STARTED`` and writes before each batch is fetched. The learning
    rate and the betas of a step therefore fit the size of its batch. In a plain loop, call :meth:`apply` before the
    first batch is fetched, and after each step.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        dataloader: a ``DataLoader`` that was constructed with a ``batch_size``.
        sizes: pairs of a threshold and the batch size that begins there, or a text such as
            ``"0 tokens: 32, 1M: 64, 4M: 128"``. A threshold is a number of events, or an amount with a unit. A
            threshold without a unit has the unit of the threshold before it. The first threshold is 0.
        lr: the schedule of the learning rate: a :class:`Schedule`, or a scheduler of ``"lr"`` that you must not attach.
            If None, each group's present learning rate is its schedule.
        lr_rule: the formula above for the learning rate: ``"sqrt"`` or ``"linear"``. If None, the factor is 1.
        scale_betas: whether the betas follow the formula above; if False, the betas do not change.
        run: the :class:`~lehr.handlers.RunLength` that converts thresholds to events. Its ``tokens_per_step`` and
            ``samples_per_step`` are the amounts at the first batch size. They grow with the batch size. With
            ``counts="tokens"`` or ``"samples"``, a clock counts the tokens or samples that thresholds are compared
            with. A percentage is a share of the steps of the run. If the run has no number of steps, it is a share of
            its tokens or samples.
        save_history: whether to record the written values in ``engine.state.param_history``.

    Shapes: a column for the batch size; then, for the learning rate and for each beta, one column, or one column per
    param group.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: the data loader has no batch sampler; a threshold cannot be converted, or is not after the threshold
            before it; ``lr`` schedules another optimizer or parameter; a beta would be below 0.

    Source: Malladi et al., "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms", 2022,
    https://arxiv.org/abs/2205.10287 (the square root and the betas, without the rule for eps); Goyal et al., "Accurate,
    Large Minibatch SGD", 2017, https://arxiv.org/abs/1706.02677 (linear).

    Example:
        >>> optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.1, betas=(0.9, 0.99))
        >>> loader = DataLoader(range(1000), batch_size=8)
        >>> ramp = BatchRamp(optimizer, loader, "0 samples: 8, 32: 32", lr_rule="sqrt", scale_betas=True)
        >>> ramp.simulate(6)[3:5].round(4).tolist()
        [[8.0, 0.1, 0.9, 0.99], [32.0, 0.2, 0.6, 0.96]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        dataloader: "DataLoader[Any]",
        sizes: Sizes,
        *,
        lr: ParamScheduler | ParamGroupScheduler | Schedule | None = None,
        lr_rule: str | None = "sqrt",
        scale_betas: bool = False,
        run: RunLength | None = None,
        save_history: bool = False,
    ) -> None:
        rule = LR_RULES["none" if lr_rule is None else arguments.one_of("lr_rule", lr_rule, ("sqrt", "linear"))]
        arguments.instance("run", run, RunLength | None, "a RunLength or None")
        milestones, own_sizes, self.thresholds_count = in_events(as_thresholds(sizes), run)
        ratios = [size / own_sizes[0] for size in own_sizes]
        members: list[BaseParamScheduler] = [
            BatchSizeScheduler(dataloader, PiecewiseConstant(own_sizes, milestones)),
        ]
        factors = PiecewiseConstant(list(map(rule, ratios)), milestones)
        if lr is not None or lr_rule is not None:
            members.append(_lr_times(optimizer, lr, factors))
        if arguments.flag("scale_betas", scale_betas):
            if any("betas" not in group for group in optimizer.param_groups):
                name = type(optimizer).__name__
                raise ValueError(f"scale_betas must be False for an optimizer whose groups have no betas, given {name}")
            members += [_ScaledBeta(optimizer, f"betas[{item}]", ratios, milestones) for item in (0, 1)]
        super().__init__(members, save_history=save_history)

    @property
    def dataloader(self) -> "DataLoader[Any]":
        """The data loader whose batch size is written."""
        return self._members[0].dataloader  # type: ignore[attr-defined, no-any-return]

    def attach(
        self,
        engine: Engine,
        event: AnyEvent = Events.GET_BATCH_STARTED,
        name: str | None = None,
        clock: Clock | None = None,
    ) -> RemovableEventHandle:
        """Attach the ramp to an engine, by default before each batch is fetched; see :meth:`BaseParamScheduler.attach`.

        Args:
            engine: the engine, usually the trainer.
            event: the event at which to write. At ``EPOCH_STARTED``, thresholds count epochs. The data loader may have
                workers and ``drop_last`` only at this event, and only if each epoch starts the loader again.
            name: the name of the history. If None, each history has the name of its parameter.
            clock: the clock whose amounts ``event_index`` counts, such as a :class:`TokenClock`. If None, it counts
                events.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: the event comes after a batch is fetched; the thresholds and the clock count different units;
                the data loader prefetches batches or has ``drop_last``, so it would still use the old batch size after
                the learning rate has changed.
        """
        if any(one in (fetched, fetched.name, fetched.value) for one in each_of(event) for fetched in FETCHED):
            raise ValueError(
                "event must be GET_BATCH_STARTED or EPOCH_STARTED, since a batch of the old size has been fetched "
                f"before the given event, given {shown(event)}"
            )
        loader = self.dataloader
        workers, drops_last = loader.num_workers, loader.batch_sampler.drop_last  # type: ignore[union-attr]
        if (workers > 0 or drops_last) and event != Events.EPOCH_STARTED:
            raise ValueError(
                f"dataloader must have num_workers=0 and drop_last=False, so that each batch has the size of its "
                f"event, given num_workers={workers} and drop_last={drops_last}; or attach the ramp to "
                "Events.EPOCH_STARTED, with thresholds in epochs"
            )
        return super().attach(engine, event, name, clock)

    @classmethod
    def simulate_values(  # type: ignore[override]
        cls,
        num_events: int,
        sizes: Sizes,
        optimizer: HasParamGroups | None = None,
        *,
        lr: ParamScheduler | ParamGroupScheduler | Schedule | None = None,
        lr_rule: str | None = "sqrt",
        scale_betas: bool = False,
        run: RunLength | None = None,
    ) -> list[list[float]]:
        """Return the values that the first events would write; the optimizer does not change.

        Args:
            num_events: the number of events.
            sizes: pairs of a threshold and the batch size that begins there, or a text; see the class.
            optimizer: the optimizer. It is needed only if ``lr`` is None or a scheduler, or if ``scale_betas`` is True,
                because the values then depend on its groups.
            lr: the schedule of the learning rate. If None, each group's present learning rate is its schedule.
            lr_rule: the formula above for the learning rate: ``"sqrt"`` or ``"linear"``. If None, the factor is 1.
            scale_betas: whether the betas follow the formula of the class.
            run: the :class:`~lehr.handlers.RunLength` that converts thresholds to events.

        Shapes: a list of ``num_events`` rows, each with the event index and the values.

        Returns:
            ``[[0, batch size, lr, ...], ...]``.

        Raises:
            TypeError, ValueError: see the constructor and :meth:`simulate`.
        """
        given = {"sizes": sizes, "lr": lr, "lr_rule": lr_rule, "scale_betas": scale_betas, "run": run}
        return cls._simulated_rows(num_events, given if optimizer is None else {**given, "optimizer": optimizer})

    @classmethod
    def _without_optimizer(cls, **scheduler_kwargs: Any) -> Self:
        loader: DataLoader[Any] = DataLoader(TensorDataset(torch.empty(1)))
        return cls(**{"optimizer": PlaceholderOptimizer(), "dataloader": loader, **scheduler_kwargs})


class _ScaledBeta(ParamScheduler):
    """Scales each param group's own beta to the batch size, and writes it."""

    def __init__(self, optimizer: HasParamGroups, name: str, ratios: list[float], milestones: list[int]) -> None:
        target = ParamGroups(optimizer, name, None)
        values = read_base_values(target, None)
        # The betas of a trained optimizer may be scaled already, so they are not checked. The state to be loaded has
        # the original betas.
        if not has_trained(target) and max(ratios) * (1 - min(values)) > 1:
            raise ValueError(
                "scale_betas must be False if a batch size is more than 1 / (1 - beta) times the first batch size, "
                f"given {max(ratios):g} times the first batch size and {name} {shown(min(values))}"
            )
        base = BaseValues(values, partial(_scaled_beta, ratios, milestones))
        self._write_to(target, name, False, base.schedule(), base)


def _scaled_beta(ratios: list[float], milestones: list[int], base: Number) -> Schedule:
    """Return the schedule of a beta: ``1 - k * (1 - beta)``."""
    rows = 1 - np.multiply.outer(ratios, 1 - np.asarray(base, dtype=np.float64))
    return PiecewiseConstant(rows.tolist(), milestones)


def _lr_times(optimizer: HasParamGroups, lr: Any, factors: Schedule) -> ParamScheduler:
    """Return a scheduler that writes the schedule of the learning rate times the factors."""
    if lr is None:
        return ParamScheduler(optimizer, "lr", schedule=factors, relative=True)
    if isinstance(lr, Schedule):
        return ParamScheduler(optimizer, "lr", schedule=Product([lr, factors]))
    if not isinstance(lr, ParamScheduler | ParamGroupScheduler):
        raise TypeError(f"lr must be a scheduler of the learning rate, a Schedule or None, given {shown(lr)}")
    own = lr.as_param_scheduler() if isinstance(lr, ParamGroupScheduler) else lr
    if own.optimizer is not optimizer or own.param_name != "lr":
        raise ValueError(f"lr must be a scheduler of 'lr' for the same optimizer, given {shown(lr)}")
    ratio = ParamScheduler(optimizer, "lr", param_group_index=own.param_group_index, schedule=factors)
    return ChainedScheduler([own, ratio], initial_value=1.0)
