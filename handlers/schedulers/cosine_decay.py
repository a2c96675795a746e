"""Schedulers of cosine decay, and of cosine decay with restarts."""

from collections.abc import Sequence
from typing import Literal, Unpack

from lehr.handlers.schedules import Anneal, Cosine, Restarts, arguments
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.schedules.durations_to_events import as_events
from lehr.handlers.targets.param_groups import HasParamGroups

from .decay_scheduler import DecayScheduler, Options, run_of


class CosineDecayScheduler(DecayScheduler):
    """Writes half a cosine wave from ``start_value`` to ``end_value``, then stays at ``end_value``.

    ``value(i) = start_value + (end_value - start_value) * (1 - cos(pi * min(i / duration, 1))) / 2``

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        duration: the number of events from ``start_value`` to ``end_value``, at least 0.
        end_value: value at event ``duration``; a number, or a list with one per param group.
        start_value: value at event 0; a number, or a list with one per param group. None means each group's present
            value.
        beyond: the values after ``duration``: ``"hold"`` keeps ``end_value``; ``"mirror"`` goes back to
            ``start_value``, again to ``end_value``, and so on without end.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    https://arxiv.org/abs/1608.03983.

    Example:
        >>> rows = CosineDecayScheduler.simulate_values(4, param_name="lr", duration=2, start_value=1.0)
        >>> [[event, round(value, 4)] for event, value in rows]
        [[0, 1.0], [1, 0.5], [2, 0.0], [3, 0.0]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        duration: float | str,
        end_value: Number = 0.0,
        start_value: Number | None = None,
        beyond: Literal["hold", "mirror"] = "hold",
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            optimizer,
            param_name,
            Anneal,
            options,
            "start_value",
            start_value=start_value,
            end_value=end_value,
            duration=duration,
            curve=Cosine(),
            beyond=beyond,
        )


class CosineRestartScheduler(DecayScheduler):
    """Writes half cosine waves from ``start_value`` towards ``end_value``, with warm restarts.

    Cycle k, counted from 0, has ``T_k`` events. At its position j, the value is::

        value = start_k + (end_value - start_k) * (1 - cos(pi * j / T_k)) / 2

    With ``T_0`` and ``T_mult``, ``T_k = T_0 * T_mult**k`` and ``start_k = start_value * restart_weights**k``, and the
    cycles never end. With lists, ``T_k = periods[k]`` and ``start_k = start_value * restart_weights[k]``; after the
    last cycle the value is ``end_value``.

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        T_0: the number of events in the first cycle; it must be more than 0.
        T_mult: the ratio of one cycle's length to the previous cycle's length, at least 1.
        periods: a list with the number of events of each cycle, instead of ``T_0`` and ``T_mult``.
        restart_weights: the ratio of one cycle's start value to the previous cycle's start value. With ``periods``, it
            is a list with one factor per cycle, by which ``start_value`` is multiplied.
        end_value: value at the end of a cycle; a number, or a list with one per param group.
        start_value: value at event 0; a number, or a list with one per param group. None means each group's present
            value.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`. Also if both ``T_0`` and ``periods`` are given, or neither
            of them.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    https://arxiv.org/abs/1608.03983.

    Example:
        >>> rows = CosineRestartScheduler.simulate_values(5, param_name="lr", T_0=2, start_value=1.0)
        >>> [[event, round(value, 4)] for event, value in rows]
        [[0, 1.0], [1, 0.5], [2, 1.0], [3, 0.5], [4, 1.0]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        T_0: float | str | None = None,
        T_mult: float = 1.0,
        periods: Sequence[float | str] | None = None,
        restart_weights: float | Sequence[float] = 1.0,
        end_value: Number = 0.0,
        start_value: Number | None = None,
        **options: Unpack[Options],
    ) -> None:
        if (T_0 is None) == (periods is None):
            raise ValueError(
                "either T_0 or periods must be given, "
                f"given T_0={arguments.shown(T_0)}, periods={arguments.shown(periods)}"
            )
        if periods is not None and (isinstance(periods, str | bytes) or not isinstance(periods, Sequence)):
            raise TypeError(f"periods must be a list or tuple of numbers of events, given {arguments.shown(periods)}")
        T_0 = as_events("T_0", T_0, run_of(options))
        check = arguments.duration if options.get("epoch_length") is None else arguments.number
        super().__init__(
            optimizer,
            param_name,
            Restarts,
            options,
            "start_value",
            start_value=start_value,
            end_value=end_value,
            periods=check("T_0", T_0, above=0) if periods is None else periods,
            period_mult=arguments.number("T_mult", T_mult, at_least=1),
            restart_weights=restart_weights,
        )
