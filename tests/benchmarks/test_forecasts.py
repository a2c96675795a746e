"""The seconds of a fit and of a forecast, and the memory that they take."""

import tracemalloc

import numpy as np
from interleaving import Contender, interleaved

from lehr.handlers.forecast import LossForecast, Run

EVENTS, WARMUP = 24_000, 2_000


def rates(kind, events):
    """A constant learning rate, a cosine, or one that falls at once; after a warm-up."""
    at = np.arange(events)
    part = np.clip((at - WARMUP) / (events - WARMUP), 0, 1)
    lrs = {
        "constant": np.ones(events),
        "cosine": 0.1 + 0.45 * (1 + np.cos(np.pi * part)),
        "jump": np.where(at < events // 3, 1.0, 0.3),
    }[kind]
    return 3e-4 * lrs * np.minimum(at / WARMUP, 1)


def runs(every):
    """Losses that fall with the sum of the learning rates, and with the learning rate."""
    steps, random = np.arange(WARMUP, EVENTS, every), np.random.default_rng(0)
    found = []
    for kind in ("constant", "cosine", "jump"):
        lrs = rates(kind, EVENTS)
        losses = 2.9 + 0.5 * np.cumsum(lrs)[steps] ** -0.5 + 400 * lrs[steps]
        found.append(Run(lrs, steps, losses * np.exp(0.001 * random.standard_normal(len(steps)))))
    return found


def peak_of(call, *arguments):
    """The bytes that a call allocates at its peak."""
    tracemalloc.start()
    call(*arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return [float(peak)]


def test_a_fit_and_a_forecast(benchmark, add_row):
    few, many = runs(128), runs(1)
    forecast, lrs = LossForecast.fit(few), rates("cosine", 100_000)
    contenders = {
        "fit": Contender(LossForecast.fit, (few,)),
        "fit to every loss": Contender(LossForecast.fit, (many,)),
        "predict": Contender(lambda: forecast.predict(lrs, 100_000, extrapolate=True)),
        "final": Contender(lambda: forecast.final(lrs, 100_000, extrapolate=True)),
    }
    measured = interleaved(benchmark, contenders, rounds=5)
    add_row("fit to 3 runs of 24,000 events, a loss each 128", {"lehr": measured["fit"]}, {"lehr": 10})
    add_row("fit to 3 runs of 24,000 events, a loss each", {"lehr": measured["fit to every loss"]}, {"lehr": 10})
    add_row("predict 100,000 events", {"lehr": measured["predict"]}, {"lehr": 0.2})
    add_row("the loss after 100,000 events alone", {"lehr": measured["final"]}, {"lehr": 0.2})


def test_the_memory_of_a_fit_and_of_a_forecast(benchmark, add_row):
    few, lrs = runs(128), rates("cosine", 100_000)
    forecast = LossForecast.fit(few)
    benchmark.pedantic(forecast.final, (lrs, 100_000), {"extrapolate": True}, rounds=1)
    add_row("peak memory of a fit to 3 runs of 24,000 events", {"lehr": peak_of(LossForecast.fit, few)}, unit="B")
    predicted = peak_of(lambda: forecast.predict(lrs, 100_000, extrapolate=True))
    add_row("peak memory of a forecast of 100,000 events", {"lehr": predicted}, unit="B")
