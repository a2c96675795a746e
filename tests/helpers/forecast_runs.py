"""Runs for tests of forecasts: drawn from a law that is written out here once more, and the published ones."""

import csv
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lehr.handlers.forecast import Run

CURVES = os.environ.get("LEHR_LOSS_CURVES")
needs_curves = pytest.mark.skipif(
    not CURVES,
    reason="LEHR_LOSS_CURVES names no folder with the loss curves of github.com/thu-yao-01-luo/MultiPowerLaw and the "
    "final losses of github.com/fabian-sp/lr-scheduling",
)
FITTED = ("cosine_24000", "constant_24000", "wsdcon_9")
FORECAST = ("cosine_72000", "constant_72000", "wsdcon_3", "wsdcon_18", "wsd_20000_24000", "wsdld_20000_24000")
PEAK, LOWEST, WARMUP = 3e-4, 3e-5, 2160

# L0, A, alpha, B, C, beta, gamma for learning rates up to 0.01.
TRUTH = (2.0, 0.8, 0.5, 40.0, 0.8, 0.6, 0.6)


def law(lrs, steps, truth=TRUTH):
    """The multi-power law, as the paper writes it: a sum over all events, for each step."""
    limit, amplitude, alpha, drop, rate, beta, gamma = truth
    sums, losses = np.cumsum(lrs), []
    for step in steps:
        decrease = 0.0
        for event in range(1, step + 1):
            fall = lrs[event - 1] - lrs[event]
            if fall:
                passed = sums[step] - sums[event - 1]
                decrease += fall * (1 - (1 + rate * lrs[event] ** -gamma * passed) ** -beta)
        losses.append(limit + amplitude * sums[step] ** -alpha - drop * decrease)
    return np.array(losses)


def schedule(kind, events, peak=0.01, lowest=0.001, warmup=40):
    """The learning rate of each event: constant, a cosine, one jump to 30% in the middle, or a linear decay."""
    at = np.arange(events)
    part = np.clip((at - warmup) / (events - 1 - warmup), 0, 1)
    if kind == "constant":
        lrs = np.full(events, peak)
    elif kind == "cosine":
        lrs = lowest + (peak - lowest) * (1 + np.cos(np.pi * part)) / 2
    elif kind == "jump":
        lrs = np.where(at < events // 2, peak, 0.3 * peak)
    else:
        lrs = peak - (peak - lowest) * np.clip((part - 0.8) / 0.2, 0, 1)
    return lrs * np.minimum(at / warmup, 1)


@cache
def drawn_losses(kind, events, every):
    steps = np.arange(40, events, every)
    return steps, law(schedule(kind, events), steps.tolist())


def drawn_run(kind, events=600, every=8, noise=0.0, seed=0):
    """A run whose losses follow the law, with noise."""
    steps, losses = drawn_losses(kind, events, every)
    factors = np.exp(noise * np.random.default_rng(seed).standard_normal(len(steps)))
    return Run(schedule(kind, events), steps, losses * factors, name=kind)


def drawn_runs(noise=0.0, events=600, every=8):
    return [drawn_run(kind, events, every, noise, at) for at, kind in enumerate(("constant", "cosine", "jump"))]


def published_lrs(name):
    """The learning rates of a published run, by the README of the curves."""
    events = 72001 if "72000" in name else 24001
    at, last = np.arange(events), events - 1
    lrs = np.full(events, PEAK)
    if name.startswith("cosine"):
        lrs = LOWEST + (PEAK - LOWEST) * (1 + np.cos(np.pi * np.clip((at - WARMUP) / (last - WARMUP), 0, 1))) / 2
    elif name.startswith("wsdcon"):
        lrs[8000:] = int(name.removeprefix("wsdcon_")) * 1e-5
    elif name.startswith("wsd_"):
        lrs = PEAK * (LOWEST / PEAK) ** np.clip((at - 20000) / 4000, 0, 1)
    elif name.startswith("wsdld"):
        lrs = PEAK - (PEAK - LOWEST) * np.clip((at - 20000) / 4000, 0, 1)
    return np.where(at < WARMUP, PEAK * at / WARMUP, lrs)


@cache
def published_run(size, name):
    steps, lrs, losses = np.loadtxt(Path(CURVES, size, f"{name}.csv"), delimiter=",", skiprows=1, unpack=True)
    computed = published_lrs(name)
    np.testing.assert_allclose(computed[steps.astype(int)], lrs, rtol=1e-6)
    return Run(computed, steps, losses, name=name)


@cache
def final_losses():
    """The runs of final_losses_124M.csv that did not diverge."""
    with open(Path(CURVES, "final_losses_124M.csv"), newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if float(row["final_val_loss"]) < 5]
    return [Run(_lrs_124m(row), [int(row["iterations"]) - 1], [float(row["final_val_loss"])]) for row in rows]


def _lrs_124m(row):
    events, warmup = int(row["iterations"]), int(row["warmup_steps"])
    peak, last = float(row["peak_lr"]), float(row["final_lr_fraction"])
    at = np.arange(events)
    if row["schedule"] == "cosine":
        factor = (1 + np.cos(np.pi * np.clip((at - warmup) / (events - warmup), 0, 1))) / 2
    else:
        decay = int(float(row["decay_fraction"]) * events)
        part = np.clip((at - (events - decay)) / decay, 0, 1)
        factor = 1 - part if row["decay_curve"] == "linear" else 1 - np.sqrt(part)
    return peak * np.where(at < warmup, (at + 1) / warmup, last + (1 - last) * factor)
