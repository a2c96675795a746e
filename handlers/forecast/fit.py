"""Fits the law to runs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lehr.handlers.schedules.base import Array

from .law import LawParameters, changes_of, law_losses
from .runs import Run


def least_squares() -> Any:
    """SciPy's function.

    Raises:
        ImportError: SciPy is not installed.
    """
    try:
        from scipy.optimize import least_squares
    except ImportError as error:
        raise ImportError("LossForecast.fit needs SciPy: pip install 'lehr[forecast]'") from error
    return least_squares


def fit_law(runs: Sequence[Run]) -> tuple[LawParameters, tuple[Array, ...]]:
    """The parameters, and the residuals of the logarithm of the loss of each run."""
    solve = least_squares()
    changes = [changes_of(run.lrs, run.steps[run.steps > 0]) for run in runs]
    logs = [np.log(run.losses[run.steps > 0]) for run in runs]
    ref = max(float(run.lrs.max()) for run in runs)

    def parameters(x: Array) -> LawParameters:
        alpha, beta, gamma = x[2], x[5], x[6]
        return LawParameters(
            x[0], np.exp(x[1]) * ref**alpha, alpha, np.exp(x[3]) / ref, np.exp(x[4]) * ref ** (gamma - 1), beta, gamma
        )

    def residuals(x: Array) -> Array:
        law = parameters(x)
        return np.concatenate(
            [np.log(np.maximum(law_losses(law, one), 1e-3)) - log for one, log in zip(changes, logs, strict=True)]
        )

    lowest = min(float(np.exp(log.min())) for log in logs)
    start = np.array([0.9 * lowest, np.log(lowest * 30), 0.5, np.log(0.1 * lowest), np.log(0.1), 0.6, 0.6])
    low = [0, -10, 0.1, -10, -10, 0.2, 0.1]
    high = [lowest, 20, 1.5, 10, 5, 1.5, 1.5]
    result = solve(
        residuals, np.clip(start, low, high), bounds=(low, high), loss="soft_l1", f_scale=1e-3, x_scale="jac"
    )
    law = parameters(result.x)
    return law, tuple(log - np.log(law_losses(law, one)) for one, log in zip(changes, logs, strict=True))
