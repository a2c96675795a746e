"""``WarmupStableDecayScheduler``: a warm-up, a stable phase and a decay, for any parameter."""

from typing import Unpack

from lehr.handlers.schedules import WarmupStableDecay
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.targets.param_groups import HasParamGroups

from .decay_scheduler import DecayScheduler, Options


class WarmupStableDecayScheduler(DecayScheduler):
    """Writes a warm-up from ``start_value`` to ``peak_value``, a stable phase, and a decay to ``end_value``.

    The warm-up has w events, the stable phase has s events, and the decay has d events. The curve f belongs to
    ``warmup_type``, and the curve g belongs to ``decay_type``. :class:`~lehr.handlers.schedules.WarmupStableDecay`
    lists the curves. The values are::

        value(i) = start_value + (peak_value - start_value) * (1 - f(1 - i / w))     for i < w
        value(i) = peak_value                                                        for w <= i < w + s
        value(i) = peak_value + (end_value - peak_value) * g((i - w - s) / d)        for w + s <= i < w + s + d
        value(i) = end_value                                                         after

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        num_warmup_events: the number of events of the warm-up, at least 0.
        num_stable_events: the number of events between the warm-up and the decay, at least 0.
        num_decay_events: the number of events of the decay, at least 0.
        peak_value: value of the stable phase; a number, or a list with one per param group. None means each group's
            present value.
        start_value: value at event 0; a number, or a list with one per param group.
        end_value: value at the end of the decay; a number, or a list with one per param group.
        warmup_type: the curve of the warm-up: ``"linear"``, ``"cosine"``, ``"1-sqrt"``, ``"quadratic"``, ``"log"``,
            ``"power"`` or ``"exponential"``.
        decay_type: the curve of the decay, with the same names as ``warmup_type``.
        power: the exponent of a ``"power"`` curve; it must be more than 0.
        ratio: the end of an ``"exponential"`` curve divided by its start. It must be more than 0 and less than 1.
        options: ``relative``, ``begin``, ``end``, ``interval``, ``epoch_length``, ``run``, ``save_history``
            and ``param_group_index``, as keyword arguments; see :class:`DecayScheduler`.

    Raises:
        TypeError, ValueError: see :class:`DecayScheduler`.

    Source: Hu et al., "MiniCPM", 2024, https://arxiv.org/abs/2404.06395; Hägele et al., "Scaling Laws and
    Compute-Optimal Training Beyond Fixed Training Durations", 2024, https://arxiv.org/abs/2405.18392 (1-sqrt).

    Example:
        >>> rows = WarmupStableDecayScheduler.simulate_values(
        ...     6, param_name="lr", num_warmup_events=2, num_stable_events=1, num_decay_events=2, peak_value=1.0
        ... )
        >>> [[event, round(value, 4)] for event, value in rows]
        [[0, 0.0], [1, 0.5], [2, 1.0], [3, 1.0], [4, 0.2929], [5, 0.0]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        num_warmup_events: int | str,
        num_stable_events: int | str,
        num_decay_events: int | str,
        peak_value: Number | None = None,
        start_value: Number = 0.0,
        end_value: Number = 0.0,
        warmup_type: str = "linear",
        decay_type: str = "1-sqrt",
        power: float = 2.0,
        ratio: float = 0.1,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(
            optimizer,
            param_name,
            WarmupStableDecay,
            options,
            "peak_value",
            peak_value=peak_value,
            num_warmup_events=num_warmup_events,
            num_stable_events=num_stable_events,
            num_decay_events=num_decay_events,
            start_value=start_value,
            end_value=end_value,
            warmup_type=warmup_type,
            decay_type=decay_type,
            power=power,
            ratio=ratio,
        )
