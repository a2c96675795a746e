"""The multi-power law: computes the loss of a run from its learning rates.

The law gives the loss at event t. In it, lr_k is the learning rate of event k, S(t) is the sum lr_0 + ... + lr_t, and
S'(t) is the sum lr_0**p + ... + lr_t**p::

    loss(t) = L0 + A * S'(t)**-alpha - B * D(t)
    D(t)    = sum over k = 1, ..., t of (lr_{k-1} - lr_k) * (1 - (1 + C * lr_k**-gamma * (S(t) - S(k-1)))**-beta)

All sums include the events of the warm-up. If all runs have about the same peak, p is 1, as in the paper. If the peaks
differ, p is fitted.

Source: Luo et al., "A Multi-Power Law for Loss Curve Prediction Across Learning Rate Schedules", 2025,
https://arxiv.org/abs/2503.12811. The power p is not from the paper.
"""

from dataclasses import dataclass, fields

import numpy as np

from lehr.handlers.schedules.base import Array

from .lr_changes import Changes

# A fit varies these numbers, in this order: L0, log A, alpha, log B, log C, beta, gamma. Losses are in units of the
# lowest loss, and learning rates in units of the highest learning rate.
NUM_FITTED = 7


@dataclass(frozen=True)
class LawParameters:
    """The parameters of the law, in the units of the learning rate and the loss.

    Args:
        limit: L0, the lower bound of the loss.
        amplitude: A, the factor of the term with the exponent alpha.
        alpha: the exponent of the sum of learning rates.
        drop: B, how far the loss falls in the end when the learning rate falls by 1.
        rate: C, how fast a fall of the learning rate takes effect.
        beta: the exponent in the effect of a fall of the learning rate.
        gamma: the exponent of the learning rate itself in this effect.
        power: p, the power of the learning rates in the first sum.
    """

    limit: float
    amplitude: float
    alpha: float
    drop: float
    rate: float
    beta: float
    gamma: float
    power: float = 1.0

    @classmethod
    def from_fitted(cls, fitted: Array, highest_lr: float, lowest_loss: float, power: float) -> "LawParameters":
        """Return the parameters of a fit in the units of the runs.

        >>> print(LawParameters.from_fitted(np.array([0.9, 0.0, 0.5, 0.0, 0.0, 0.5, 0.5]), 0.01, 3.0, 1.0))
        L0 2.7, A 0.3, alpha 0.5, B 300, C 10, beta 0.5, gamma 0.5
        """
        limit, amplitude, alpha, drop, rate, beta, gamma = map(float, fitted)
        return cls(
            limit=limit * lowest_loss,
            amplitude=float(np.exp(amplitude)) * lowest_loss * highest_lr ** (alpha * power),
            alpha=alpha,
            drop=float(np.exp(drop)) * lowest_loss / highest_lr,
            rate=float(np.exp(rate)) * highest_lr ** (gamma - 1),
            beta=beta,
            gamma=gamma,
            power=power,
        )

    def __str__(self) -> str:
        symbols = ("L0", "A", "alpha", "B", "C", "beta", "gamma", "p")
        shown = zip(symbols, (getattr(self, one.name) for one in fields(self)), strict=True)
        return ", ".join(f"{symbol} {value:.4g}" for symbol, value in shown if (symbol, value) != ("p", 1.0))


def log_losses(fitted: Array, changes: Changes) -> tuple[Array, Array]:
    """Return the logarithm of the loss at each step ``(T,)``, and its derivatives by the fitted numbers ``(T, 7)``."""
    limit, amplitude, alpha, drop, rate, beta, gamma = fitted
    power_law = np.exp(amplitude - alpha * changes.log_sums)
    worth = np.exp(drop)
    x = np.exp(rate - gamma * changes.log_lrs) * changes.passed
    log = np.log1p(x)
    left = np.exp(-beta * log)
    slope = beta * left * x / (1 + x)
    fallen = (1 - left) @ changes.sizes
    losses = np.maximum(limit + power_law - worth * fallen, FLOOR)
    slopes = [
        np.ones_like(losses),
        power_law,
        -power_law * changes.log_sums,
        -worth * fallen,
        -worth * (slope @ changes.sizes),
        -worth * ((left * log) @ changes.sizes),
        worth * (slope @ (changes.sizes * changes.log_lrs)),
    ]
    return np.log(losses), np.stack(slopes, axis=1) / losses[:, None]


FLOOR = 1e-3  # the law never gives a lower loss than this fraction of the lowest loss, so that its logarithm exists
