"""The multi-power law: the loss of a run from its learning rates."""

from dataclasses import dataclass, fields

import numpy as np

from lehr.handlers.schedules.base import Array

WINDOWS = 600  # at most about as many windows of events, each of whose changes count as one


@dataclass(frozen=True)
class LawParameters:
    """The parameters of the multi-power law, in the units of the learning rate and the loss.

    Args:
        limit: L0, the loss that no run goes below.
        amplitude: A, above 0.
        alpha: the exponent of the sum of learning rates.
        drop: B, what a change of the learning rate is worth.
        rate: C, how fast it comes.
        beta: the exponent of its coming.
        gamma: the exponent of the learning rate in it.
    """

    limit: float
    amplitude: float
    alpha: float
    drop: float
    rate: float
    beta: float
    gamma: float

    def __str__(self) -> str:
        symbols = ("L0", "A", "alpha", "B", "C", "beta", "gamma")
        values = (getattr(self, one.name) for one in fields(self))
        return ", ".join(f"{symbol} {value:.4g}" for symbol, value in zip(symbols, values, strict=True))


@dataclass(frozen=True, eq=False)
class Changes:
    """The learning rates of a run as the law needs them at some of its steps.

    The changes of the learning rate in a window of events count as one change, at their weighted mean; a window never
    reaches over a step that is asked for. Rises and falls are counted apart.

    Args:
        sums: S, the sum of the learning rates up to each step ``(T,)``.
        sizes: the fall of the learning rate in each window ``(W,)``, negative for a rise.
        lrs: the learning rate after the change ``(W,)``.
        sums_before: the sum of the learning rates before the change ``(W,)``.
        counts: how many windows end before each step, or at it ``(T,)``.
    """

    sums: Array
    sizes: Array
    lrs: Array
    sums_before: Array
    counts: Array


def changes_of(lrs: Array, steps: Array, windows: int = WINDOWS) -> Changes:
    """Sum up the learning rates ``(n,)`` of a run for the steps ``(T,)`` at which its loss is wanted."""
    sums = np.cumsum(lrs)
    falls = lrs[:-1] - lrs[1:]
    at = np.flatnonzero(falls) + 1  # the events whose learning rate differs from that before
    falls = falls[at - 1]
    edges = _edges(falls, at, steps, windows)
    window = 2 * np.searchsorted(edges, at, side="left") + (falls > 0)
    _, first, window = np.unique(window, return_index=True, return_inverse=True)
    sizes = np.bincount(window, falls)
    weights = falls / sizes[window]
    ends = edges[np.searchsorted(edges, at[first], side="left")] if len(at) else at
    return Changes(
        sums=sums[steps],
        sizes=sizes,
        lrs=np.bincount(window, weights * lrs[at]),
        sums_before=np.bincount(window, weights * sums[at - 1]),
        counts=np.searchsorted(ends, steps, side="right"),
    )


def _edges(falls: Array, at: Array, steps: Array, windows: int) -> Array:
    """The last event of each window: each of the steps, and events between which the learning rate changes equally."""
    last = int(steps[-1])
    if not len(at):
        return np.array([last])
    passed = np.cumsum(np.abs(falls))
    wanted = np.searchsorted(passed, np.linspace(0, passed[-1], windows)[1:-1])
    return np.unique(np.concatenate([steps, at[wanted], [max(last, int(at[-1]))]]))


def law_losses(parameters: LawParameters, changes: Changes) -> Array:
    """The loss at each step."""
    one = parameters
    decrease = one.drop * progress(changes, one.rate, one.beta, one.gamma)
    return one.limit + one.amplitude * changes.sums**-one.alpha - decrease


def progress(changes: Changes, rate: float, beta: float, gamma: float) -> Array:
    """The sum over windows of the law, without its factor B, at each step."""
    result = np.zeros(len(changes.sums))
    if len(changes.sizes):
        speed = rate * np.maximum(changes.lrs, np.finfo(float).tiny ** 0.25) ** -gamma
        passed = changes.sums[:, None] - changes.sums_before
        is_before = np.arange(len(changes.sizes)) < changes.counts[:, None]
        reached = 1 - (1 + speed * np.where(is_before, passed, 0)) ** -beta
        result = reached @ changes.sizes
    return result
