"""Ranks schedules by a bound of convex optimisation on the loss at the end of a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import arguments
from .base import Array, Schedule
from .loss_bound_ranking import BoundRanking, RankedSchedule

# Values at the end of a schedule that are a smaller share of its largest value are zero but for rounding.
ROUNDING = 1e-12


def rank_by_bound(
    schedules: Mapping[str, Schedule | ArrayLike] | Sequence[Schedule],
    num_events: int,
    *,
    distance: float | None = None,
    gradient_norms: float | ArrayLike = 1.0,
) -> BoundRanking:
    """Rank learning rate schedules, without any run, by a bound on the loss after the last event.

    Gradient descent begins at a distance D from a minimum of a convex function. Its learning rates are eta_1 to eta_T,
    and the expected norm of the gradient at event t is at most G_t. Then the loss of the last iterate is above its
    minimum by at most::

        D^2 / (2 * S_1) + Q_1 / (2 * S_1) + 1/2 * sum_{k=1}^{T-1} eta_k / S_{k+1} * Q_k / S_k

    with S_k = sum_{t=k}^T eta_t and Q_k = sum_{t=k}^T eta_t^2 * G_t^2. The sum is taken in the equal form
    1/2 * (eta_T * G_T^2 + sum_{t=1}^{T-1} eta_t^2 * G_t^2 / S_{t+1}), in O(T).

    For eta_t = gamma * value(t), the bound is T1 / gamma + gamma * T2, where T1 = D^2 / (2 * S_1) and T2 is the rest,
    both at gamma = 1. It is least, and equal to 2 * sqrt(T1 * T2), at gamma = sqrt(T1 / T2).

    Without ``distance``, each schedule is ranked at its own best gamma. This ranks shapes: it depends neither on D nor
    on the size of the values. With ``distance``, the schedules are ranked with their values as they are.

    The bound is no prediction. Training is not convex, momentum and weight decay are not in the bound, and it knows no
    divergence. The published losses of 49 runs of a 124M language model with 50,000 steps have a rank correlation of
    0.89 with it, where ``distance`` is chosen by the best peak of one schedule.

    Args:
        schedules: pure schedules with one value for all groups, or arrays of ``num_events`` values, by name; or a list
            of schedules, whose names are their texts. Values are at least 0, and not all 0.
        num_events: T, the events of the run, at least 1. Zeros at the end of a schedule move nothing and do not count.
        distance: D, above 0, in the units of values times gradient norms; None for the best base rate of each schedule.
            If you know the best peak p of one schedule, it is ``p / rank_by_bound(schedules, num_events)[name].peak``.
        gradient_norms: G_t, above 0: a number, or ``num_events`` of them.

    Raises:
        TypeError: a schedule is neither a schedule nor numbers.
        ValueError: there is no schedule; a schedule is driven, has values for several groups or an illegal value; an
            argument is out of its range.

    Source: Schaipp et al., "The Surprising Agreement Between Convex Optimization Theory and Learning-Rate Scheduling
    for Large Model Training", 2025, https://arxiv.org/abs/2501.18965; Defazio et al., "Optimal Linear Decay Learning
    Rate Schedules and Further Refinements", 2023, https://arxiv.org/abs/2310.07831.

    Example:
        >>> from lehr.handlers.schedules import Anneal, Constant, Cosine, WarmupStableDecay
        >>> schedules = {
        ...     "constant": Constant(1.0),
        ...     "cosine": Anneal(1.0, 0.0, 1000, curve=Cosine()),
        ...     "linear": Anneal(1.0, 0.0, 1000),
        ...     "wsd 20%": WarmupStableDecay(1.0, 0, 800, 200, decay_type="linear"),
        ... }
        >>> print(rank_by_bound(schedules, 1000))
        a bound for convex problems: it ranks shapes, and predicts no loss; best peaks are relative to the first one
        schedule  bound   best peak
        linear    least   1
        cosine    +2.9%   0.972
        wsd 20%   +8.3%   0.513
        constant  +45.2%  0.345
        >>> rank_by_bound(schedules, 1000, distance=10.0)["linear"].factor.__round__(3)
        0.315
    """
    num_events = arguments.whole_number("num_events", num_events, at_least=1)
    norms = np.broadcast_to(_numbers("gradient_norms", gradient_norms, num_events), num_events)
    if not (norms > 0).all():
        raise ValueError(f"gradient_norms must be above 0, given {arguments.shown(gradient_norms)}")
    is_tuned = distance is None
    size = 1.0 if distance is None else arguments.number("distance", distance, above=0)
    ranked: list[tuple[str, float, float, float]] = []
    for name, schedule in _named(schedules).items():
        values = _values(name, schedule, num_events)
        highest = float(values.max())  # the unit of the terms, which then neither overflow nor vanish
        with np.errstate(all="ignore"):
            first, second = np.array(bound_terms(values / highest, norms[: len(values)]))
            peak = float(size * np.sqrt(first / second))
            bound = size * first / highest * size + second * highest
            bound = float(2 * size * np.sqrt(first * second) if is_tuned else bound)
        if not (0 < bound < np.inf and 0 < peak < np.inf):
            raise ValueError(
                "schedules, distance and gradient_norms must give a bound within the range of floats, given "
                f"{arguments.shown(distance, 50)} and {arguments.shown(gradient_norms, 100)} for "
                f"{arguments.shown(schedule, 100)}"
            )
        ranked.append((name, bound, peak / highest, peak))
    ranked.sort(key=lambda one: one[1])
    least = ranked[0][1]
    return BoundRanking(
        [RankedSchedule(name, bound, bound / least - 1, *rest) for name, bound, *rest in ranked], is_tuned
    )


def bound_terms(values: Array, norms: Array) -> tuple[float, float]:
    """The terms of the bound for D = 1: T1, and T2; see :func:`rank_by_bound`.

    Args:
        values: the learning rates ``(n,)``, the last one above 0.
        norms: the gradient norms ``(n,)``.

    >>> bound_terms(np.array([2.0]), np.array([3.0]))
    (0.25, 9.0)
    """
    sums, squares = np.cumsum(values[::-1])[::-1], (values * norms) ** 2
    return 0.5 / float(sums[0]), 0.5 * float(np.sum(squares[:-1] / sums[1:]) + squares[-1] / sums[-1])


def _named(schedules: Any) -> dict[str, Any]:
    """The schedules by name."""
    if isinstance(schedules, Mapping):
        named = {
            arguments.instance("a name of schedules", name, str, "a string"): one for name, one in schedules.items()
        }
    else:
        rule = "a schedule, where values of your own need a name"
        listed = enumerate(arguments.listed("schedules", schedules))
        found = [arguments.instance(f"schedules[{at}]", one, Schedule, rule) for at, one in listed]
        named = {arguments.shown(one, 60): one for one in found}
    if not named:
        raise ValueError("schedules must have at least one schedule, given none")
    return named


def _values(name: str, schedule: Any, num_events: int) -> Array:
    """The values of a schedule up to its last one above 0."""
    shown = f"schedules[{arguments.shown(name, 60)}]"
    if isinstance(schedule, Schedule):
        if not schedule.is_pure:
            raise ValueError(
                f"{shown} must be pure: what drives {arguments.shown(schedule)} is not known before the run"
            )
        if schedule.groups is not None:
            raise ValueError(
                f"{shown} must have one value for all groups, given {schedule.groups} groups; give the values of one, "
                f"such as schedule(range({num_events}))[:, 0]"
            )
        values = schedule(np.arange(num_events))
    else:
        if callable(getattr(schedule, "simulate", None)):
            raise TypeError(
                f"{shown} must be a schedule, or numbers, given a scheduler: give its schedule, or "
                f"scheduler.simulate({num_events})[:, 0]"
            )
        values = np.broadcast_to(_numbers(shown, schedule, num_events), num_events)
    if not (np.isfinite(values) & (values >= 0)).all():
        wrong = int(np.flatnonzero(~(np.isfinite(values) & (values >= 0)))[0])
        raise ValueError(f"{shown} must have finite values of at least 0, given {values[wrong]:.4g} at event {wrong}")
    above = np.flatnonzero(values > ROUNDING * values.max())
    if not len(above):
        raise ValueError(f"{shown} must have a value above 0 in {num_events} events, given none")
    return values[: above[-1] + 1]


def _numbers(name: str, given: Any, num_events: int) -> Array:
    """A number, or ``num_events`` of them, as an array."""
    values = np.asarray(arguments.number_or_numbers(name, given))
    if values.shape not in ((), (num_events,)):
        raise ValueError(
            f"{name} must be a number, or one for each of {num_events} events, given {arguments.shown(given)}"
        )
    return values
