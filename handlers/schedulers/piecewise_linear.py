"""``PiecewiseLinear``: straight lines between given points, for any parameter."""

from collections.abc import Sequence

from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.schedules import LinearInterpolation, RunLength
from lehr.handlers.schedules.arguments import Number
from lehr.handlers.targets.group_selection import Selection
from lehr.handlers.targets.param_groups import HasParamGroups


class PiecewiseLinear(ParamScheduler):
    """Writes straight lines between given points, and constants before the first point and after the last point.

    At event i, between the milestones m_k <= i <= m_{k+1} with the values v_k and v_{k+1}, the value is::

        value = v_k + (v_{k+1} - v_k) * (i - m_k) / (m_{k+1} - m_k)

    Args:
        optimizer: a torch optimizer, or any object that has ``param_groups``.
        param_name: name of the parameter to write.
        milestones_values: one or more pairs ``(event index, value)``. The event indices are ints and must increase. A
            value is a number, or a list with one per param group.
        save_history: whether to record the written values in ``engine.state.param_history``.
        param_group_index: the groups to write: an index, a name, a predicate, or None for all; see :class:`Groups`.
        relative: whether the values are factors of each group's base value; see :class:`ParamScheduler`. Keyword only.
        run: the length of the run, which durations such as ``"10%"`` need; see :class:`RunLength`. Keyword only.

    Raises:
        TypeError: ``milestones_values`` is not a list or tuple; a milestone is not an int; a value is not a number.
        ValueError: there are no pairs; an item is not a pair; the milestones do not increase; a value is NaN or
            infinite.

    Deviations from ignite 0.5.5: two values at one milestone raise an error.

    Example:
        >>> PiecewiseLinear.simulate_values(5, param_name="lr", milestones_values=[(1, 1.0), (3, 0.5)])
        [[0, 1.0], [1, 1.0], [2, 0.75], [3, 0.5], [4, 0.5]]
    """

    def __init__(
        self,
        optimizer: HasParamGroups,
        param_name: str,
        milestones_values: Sequence[tuple[int | str, Number]],
        save_history: bool = False,
        param_group_index: Selection = None,
        *,
        relative: bool = False,
        run: RunLength | None = None,
    ) -> None:
        schedule = LinearInterpolation(milestones_values)
        super().__init__(
            optimizer, param_name, save_history, param_group_index, schedule=schedule, relative=relative, run=run
        )
