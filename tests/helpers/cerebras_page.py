"""Every class of Cerebras' page with its arguments and defaults, and the formulas of its optimizers in NumPy.

The page is "Optimizer package in PyTorch API 2.0" of the Cerebras documentation.
"""

import inspect
import math
from typing import Any

import numpy as np

BETAS = "betas=(0.9, 0.999)"
OPTIMIZERS = {
    "ASGD": "lr=0.01, lambd=0.0001, alpha=0.75, t0=1000000.0, weight_decay=0, maximize=False",
    "Adadelta": "lr=1.0, rho=0.9, eps=1e-06, weight_decay=0, maximize=False",
    "Adafactor": "lr, eps=(1e-30, 0.001), clip_threshold=1.0, decay_rate=-0.8, beta1=None, weight_decay=0.0, "
    "scale_parameter=True, relative_step=False, warmup_init=False",
    "Adagrad": "lr=0.01, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-06, maximize=False",
    "Adam": f"lr=0.001, {BETAS}, eps=1e-06, weight_decay=0.0, amsgrad=False",
    "AdamW": f"lr=0.001, {BETAS}, eps=1e-06, weight_decay=0.0, correct_bias=True, amsgrad=False",
    "Adamax": f"lr=0.001, {BETAS}, eps=1e-06, weight_decay=0.0, maximize=False",
    "Lamb": f"lr=0.001, {BETAS}, eps=1e-06, weight_decay=0, adam=False",
    "NAdam": f"lr=0.002, {BETAS}, eps=1e-08, weight_decay=0, momentum_decay=0.004, foreach=None",  # foreach in its text
    "RAdam": f"lr=0.001, {BETAS}, eps=1e-06, weight_decay=0.0",
    "RMSprop": "lr=0.01, alpha=0.99, eps=1e-08, weight_decay=0, momentum=0, centered=False",
    "Rprop": "lr=0.001, etas=(0.5, 1.2), step_sizes=(1e-06, 50.0)",
    "SGD": "lr, momentum=0, dampening=0, weight_decay=0, nesterov=False, maximize=False",
}
RESET = "disable_lr_steps_reset=False"
INITIAL = "initial_learning_rate"
SCHEDULERS = {
    "ConstantLR": f"learning_rate, total_iters=None, {RESET}",
    "PolynomialLR": f"{INITIAL}, end_learning_rate, total_iters, power=1.0, cycle=False, {RESET}",
    "LinearLR": f"{INITIAL}, end_learning_rate, total_iters, cycle=False, {RESET}",
    "ExponentialLR": f"{INITIAL}, total_iters, decay_rate, staircase=False, {RESET}",
    "InverseExponentialTimeDecayLR": f"{INITIAL}, step_exponent, total_iters, decay_rate, staircase=False, {RESET}",
    "InverseSquareRootDecayLR": f"{INITIAL}=1.0, scale=1.0, warmup_steps=1.0, {RESET}",
    "CosineDecayLR": f"{INITIAL}, end_learning_rate, total_iters, {RESET}",
    "SequentialLR": "schedulers, milestones, last_epoch=-1",
    "PiecewiseConstantLR": f"learning_rates, milestones, {RESET}",
    "MultiStepLR": f"{INITIAL}, gamma, milestones, {RESET}",
    "StepLR": f"{INITIAL}, step_size, gamma, {RESET}",
    "CosineAnnealingLR": f"{INITIAL}, T_max, eta_min=0.0, {RESET}",
    "LambdaLR": f"{INITIAL}, {RESET}",
    "CosineAnnealingWarmRestarts": f"{INITIAL}, T_0, T_mult=1, eta_min=0.0, {RESET}",
    "MultiplicativeLR": f"{INITIAL}, coefficient, {RESET}",
    "ChainedScheduler": "schedulers",
    "CyclicLR": "base_lr, max_lr, step_size_up=2000, step_size_down=None, mode='triangular', gamma=1.0, "
    f"scale_mode='cycle', {RESET}",
    "OneCycleLR": f"{INITIAL}, max_lr, total_steps=1000, pct_start=0.3, final_div_factor=10000.0, three_phase=False, "
    f"anneal_strategy='cos', {RESET}",
}
REQUIRED = inspect.Parameter.empty


def arguments_of(signature: str) -> dict[str, Any]:
    """The arguments of a signature and their defaults."""
    parameters = inspect.signature(eval(f"lambda {signature}: 0")).parameters
    return {name: parameter.default for name, parameter in parameters.items()}


def asgd(p, g, t, s, o):
    g = (-g if o["maximize"] else g) + o["weight_decay"] * p
    eta, mu = s.get("eta", o["lr"]), s.get("mu", 1.0)
    p = p * (1 - o["lambd"] * eta) - eta * g
    s["ax"] = p if mu == 1 else s["ax"] + mu * (p - s["ax"])
    s["eta"], s["mu"] = o["lr"] / (1 + o["lambd"] * o["lr"] * t) ** o["alpha"], 1 / max(1, t - o["t0"])
    return p


def adadelta(p, g, t, s, o):
    g = (-g if o["maximize"] else g) + o["weight_decay"] * p
    s["v"] = o["rho"] * s.get("v", 0) + (1 - o["rho"]) * g**2
    delta = np.sqrt(s.get("d", 0) + o["eps"]) / np.sqrt(s["v"] + o["eps"]) * g
    s["d"] = o["rho"] * s.get("d", 0) + (1 - o["rho"]) * delta**2
    return p - o["lr"] * delta


def adafactor(p, g, t, s, o):
    beta2, square = 1 - t ** o["decay_rate"], g**2 + o["eps"][0]
    size = o["lr"]
    if o["relative_step"]:
        size = min(1e-6 * t if o["warmup_init"] else 1e-2, 1 / math.sqrt(t))
    if o["scale_parameter"]:
        size *= max(o["eps"][1], np.sqrt(np.mean(p**2)))
    if p.ndim >= 2:
        s["r"] = beta2 * s.get("r", 0) + (1 - beta2) * square.mean(-1, keepdims=True)
        s["c"] = beta2 * s.get("c", 0) + (1 - beta2) * square.mean(-2, keepdims=True)
        v = s["r"] * s["c"] / s["r"].mean(-2, keepdims=True)
    else:
        v = s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * square
    u = g / np.sqrt(v)
    u = u / max(1.0, np.sqrt(np.mean(u**2)) / o["clip_threshold"]) * size
    if o["beta1"] is not None:
        u = s["m"] = o["beta1"] * s.get("m", 0) + (1 - o["beta1"]) * u
    return p - o["weight_decay"] * size * p - u


def adagrad(p, g, t, s, o):
    g = (-g if o["maximize"] else g) + o["weight_decay"] * p
    s["sum"] = s.get("sum", o["initial_accumulator_value"]) + g**2
    return p - o["lr"] / (1 + (t - 1) * o["lr_decay"]) * g / (np.sqrt(s["sum"]) + o["eps"])


def moments(g, s, o):
    beta1, beta2 = o["betas"]
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g**2
    s["largest"] = np.maximum(s.get("largest", 0), s["v"])
    return s["m"], s["largest"] if o.get("amsgrad") else s["v"], beta1, beta2


def adamw(p, g, t, s, o):
    m, v, beta1, beta2 = moments(g, s, o)
    step = m / (np.sqrt(v) + o["eps"])
    if o.get("correct_bias", True):
        step = step * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    return p - o["lr"] * (step + o["weight_decay"] * p)


def adam(p, g, t, s, o):
    return adamw(p, g + o["weight_decay"] * p, t, s, {**o, "weight_decay": 0.0})


def adamax(p, g, t, s, o):
    g = (-g if o["maximize"] else g) + o["weight_decay"] * p
    beta1, beta2 = o["betas"]
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["u"] = np.maximum(beta2 * s.get("u", 0), np.abs(g) + o["eps"])
    return p - o["lr"] / (1 - beta1**t) * s["m"] / s["u"]


def lamb(p, g, t, s, o):
    m, v, *_ = moments(g, s, o)
    u = m / (np.sqrt(v) + o["eps"]) + o["weight_decay"] * p
    size, change = min(np.linalg.norm(p), 10.0), np.linalg.norm(u)
    ratio = 1.0 if o["adam"] or size == 0 or change == 0 else size / change
    return p - o["lr"] * ratio * u


def nadam(p, g, t, s, o):
    m, v, beta1, beta2 = moments(g + o["weight_decay"] * p, s, o)
    mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (at * o["momentum_decay"])) for at in (t, t + 1))
    s["mu"] = s.get("mu", 1.0) * mu
    mean = mu_next * m / (1 - s["mu"] * mu_next) + (1 - mu) * (g + o["weight_decay"] * p) / (1 - s["mu"])
    return p - o["lr"] * mean / (np.sqrt(v / (1 - beta2**t)) + o["eps"])


def radam(p, g, t, s, o):
    m, v, beta1, beta2 = moments(g + o["weight_decay"] * p, s, o)
    most = 2 / (1 - beta2) - 1
    rho = most - 2 * t * beta2**t / (1 - beta2**t)
    step = m / (1 - beta1**t)
    if rho > 5:
        step = step * np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
        step = step * np.sqrt(1 - beta2**t) / (np.sqrt(v) + o["eps"])
    return p - o["lr"] * step


def rmsprop(p, g, t, s, o):
    g = g + o["weight_decay"] * p
    s["v"] = o["alpha"] * s.get("v", 0) + (1 - o["alpha"]) * g**2
    s["g"] = o["alpha"] * s.get("g", 0) + (1 - o["alpha"]) * g
    step = g / (np.sqrt(s["v"] - (s["g"] ** 2 if o["centered"] else 0)) + o["eps"])
    s["b"] = o["momentum"] * s.get("b", 0) + step
    return p - o["lr"] * (s["b"] if o["momentum"] else step)


def rprop(p, g, t, s, o):
    sign = np.sign(g * s.get("g", 0 * g))
    factor = np.where(sign > 0, o["etas"][1], np.where(sign < 0, o["etas"][0], 1.0))
    s["size"] = np.clip(s.get("size", np.full_like(p, o["lr"])) * factor, *o["step_sizes"])
    s["g"] = np.where(sign < 0, 0.0, g)
    return p - np.sign(s["g"]) * s["size"]


def sgd(p, g, t, s, o):
    g = (-g if o["maximize"] else g) + o["weight_decay"] * p
    s["b"] = o["momentum"] * s.get("b", 0) + (1 - o["dampening"]) * g
    return p - o["lr"] * (g + o["momentum"] * s["b"] if o["nesterov"] else s["b"] if o["momentum"] else g)


FORMULAS = {
    "ASGD": asgd,
    "Adadelta": adadelta,
    "Adafactor": adafactor,
    "Adagrad": adagrad,
    "Adam": adam,
    "AdamW": adamw,
    "Adamax": adamax,
    "Lamb": lamb,
    "NAdam": nadam,
    "RAdam": radam,
    "RMSprop": rmsprop,
    "Rprop": rprop,
    "SGD": sgd,
}
# What each optimizer is tried with.
TRIED: list[tuple[str, dict[str, Any]]] = [
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.01, "alpha": 0.5, "t0": 3.0, "weight_decay": 0.1, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.1, "maximize": True}),
    ("Adafactor", {"lr": 0.01}),
    ("Adafactor", {"lr": 0.05, "eps": (1e-10, 0.01), "decay_rate": -0.5, "weight_decay": 0.1}),
    ("Adafactor", {"lr": 0.05, "scale_parameter": False, "clip_threshold": 0.5, "beta1": 0.9, "weight_decay": 0.1}),
    ("Adafactor", {"lr": None, "relative_step": True}),
    ("Adafactor", {"lr": None, "relative_step": True, "warmup_init": True, "scale_parameter": False}),
    ("Adagrad", {}),
    ("Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 0.1, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 0.01, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True, "eps": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 0.01, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.1, "correct_bias": False, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.1, "correct_bias": False, "amsgrad": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 0.01, "weight_decay": 0.1, "maximize": True}),
    ("Lamb", {}),
    ("Lamb", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 0.01, "weight_decay": 0.1}),
    ("Lamb", {"lr": 0.1, "adam": True, "weight_decay": 0.1}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 0.01, "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 0.01, "weight_decay": 0.1}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.9, "eps": 0.01, "weight_decay": 0.1, "momentum": 0.9}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.4, 1.5), "step_sizes": (0.05, 0.2)}),
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
]


def gradient(shape: tuple[int, ...], step: int) -> np.ndarray:
    """The gradient of a parameter at a step, counted from 0; the recorded tables have the same."""
    numbers = np.arange(1, math.prod(shape) + 1)
    return (np.sin(1.7 * numbers + 0.9 * step) * (1 + 0.1 * step)).reshape(shape)


def by_formula(name: str, options: dict[str, Any], steps: int) -> np.ndarray:
    """All numbers of a matrix and a vector after each step, by the formula of an optimizer: ``(steps, 9)``."""
    options = {**arguments_of(OPTIMIZERS[name]), **options}
    params, states = starts(), [{}, {}]
    rows = []
    for step in range(steps):
        params = [
            FORMULAS[name](param, gradient(param.shape, step), step + 1, state, options)
            for param, state in zip(params, states, strict=True)
        ]
        rows.append(np.concatenate([param.reshape(-1) for param in params]))
    return np.array(rows)


def starts() -> list[np.ndarray]:
    """The numbers of the matrix and of the vector before the first step."""
    return [np.linspace(-2.0, 3.0, 6).reshape(2, 3), np.linspace(0.5, -1.5, 3)]
