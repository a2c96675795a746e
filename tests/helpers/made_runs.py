"""Runs whose losses follow a law exactly, but for noise, to fit forecasts to."""

import numpy as np

from lehr.handlers.forecast import Run
from lehr.handlers.schedules import Anneal, Concatenation, Constant, Cosine, Schedule

PEAK, LOW, WARM = 3e-3, 3e-4, 20
START, SCALE, POWER, GAIN, RATE, FALL, SENSITIVITY = 2.0, 0.5, 0.5, 150.0, 2.0, 0.6, 0.6


def true_losses(rates: np.ndarray) -> np.ndarray:
    """The losses by the law of arXiv 2503.12811, event by event: its double sum as it is written there."""
    sums = np.cumsum(rates)
    losses = START + SCALE * sums**-POWER
    steps = np.diff(rates, prepend=0.0)
    for event in np.flatnonzero(steps):
        after = sums[event:] - (sums[event - 1] if event else 0.0)
        falls = 1 - (1 + RATE * max(rates[event], 1e-12) ** -SENSITIVITY * after) ** -FALL
        losses[event:] += GAIN * steps[event] * falls
    return losses


def rates_of(*parts: Schedule, num_events: int, durations: tuple[int, ...] = ()) -> np.ndarray:
    """The learning rates of a warm-up and the given schedules."""
    whole = Concatenation([Anneal(PEAK / WARM, PEAK, WARM), *parts], [WARM, *durations])
    return np.asarray(whole(np.arange(num_events)))


def made_runs(num_events: int = 400, noise: float = 1e-3, seed: int = 0) -> dict[str, Run]:
    """A cosine, a constant and a stepped run."""
    noises = np.random.default_rng(seed)
    shapes = {
        "cosine": rates_of(Anneal(PEAK, LOW, num_events - WARM, curve=Cosine()), num_events=num_events),
        "constant": rates_of(Constant(PEAK), num_events=num_events),
        "step": rates_of(Constant(PEAK), Constant(0.3 * PEAK), num_events=num_events, durations=(num_events // 3,)),
    }
    return {
        name: Run(rates, np.arange(num_events), true_losses(rates) * (1 + noise * noises.standard_normal(num_events)))
        for name, rates in shapes.items()
    }
