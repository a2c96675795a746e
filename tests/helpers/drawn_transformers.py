"""The schedulers of transformers, drawn at random, and what transformers has for them."""

import inspect
import warnings

import numpy as np
from drawn_configs import PARAMS, between, drawn_groups, held, optimizer_of


def drawn_steps(random):
    return {
        "num_warmup_steps": random.choice([0, 0, 1, random.randint(2, 12), random.randint(20, 50)]),
        "num_training_steps": random.choice(
            [0, 1, 2, random.randint(2, 12), random.randint(12, 30), random.randint(30, 60)]
        ),
    }


def num_cycles(random):
    return random.choice([{}, {"num_cycles": random.choice([0, 0.0, 0.5, 1, 2, 3, between(random, 0, 4)])}])


def lowest(random):
    return random.choice(
        [{"min_lr": between(random, 0, 0.5)}, {"min_lr_rate": random.choice([0, 1.0, between(random, 0, 1)])}]
    )


TRANSFORMERS = {
    "constant": lambda random: {},
    "constant_with_warmup": lambda random: {"num_warmup_steps": drawn_steps(random)["num_warmup_steps"]},
    "cosine": lambda random: {**drawn_steps(random), **num_cycles(random)},
    "cosine_warmup_with_min_lr": lambda random: {
        **drawn_steps(random),
        **num_cycles(random),
        **lowest(random),
        **random.choice([{}, {"warmup_lr_rate": random.choice([0.0, 1.0, between(random, 0, 1)])}]),
    },
    "cosine_with_min_lr": lambda random: {**drawn_steps(random), **num_cycles(random), **lowest(random)},
    "cosine_with_restarts": lambda random: {
        **drawn_steps(random),
        **random.choice([{}, {"num_cycles": random.choice([0, 1, 2, 3, 5, between(random, 0, 4)])}]),
    },
    "greedy": lambda random: {
        "mode": random.choice(["min", "max"]),
        "factor": between(random, 0.3, 0.95),
        "patience": random.randint(0, 3),
        "threshold": random.choice([1e-6, 0.1]),
        "threshold_mode": random.choice(["abs", "rel"]),
        "cooldown": random.randint(0, 2),
        "warmup": random.randint(0, 2),
        "min_lr": between(random, 0, 0.3),
        "max_lr": between(random, 0.5, 2),
        "smooth": random.random() < 0.4,
        "window_size": random.randint(1, 6),
        "reset_start": random.choice([0, 1, 2, 500]),
    },
    "inverse_sqrt": lambda random: {
        "num_warmup_steps": drawn_steps(random)["num_warmup_steps"],
        **random.choice([{}, {"timescale": random.randint(1, 50)}]),
    },
    "linear": drawn_steps,
    "polynomial": lambda random: {
        **drawn_steps(random),
        **random.choice([{}, {"lr_end": random.choice([0.0, between(random, 0, 0.3)])}]),
        **random.choice([{}, {"power": random.choice([0.0, 1.0, 2, between(random, 0, 3)])}]),
    },
    "reduce_lr_on_plateau": lambda random: {
        "mode": random.choice(["min", "max"]),
        "factor": between(random, 0.05, 0.95),
        "patience": random.randint(0, 3),
        "threshold": random.choice([1e-4, 0.1]),
        "threshold_mode": random.choice(["abs", "rel"]),
        "cooldown": random.randint(0, 2),
        "min_lr": random.choice([0.0, between(random, 0, 0.4)]),
    },
    "warmup_stable_decay": lambda random: {
        "num_warmup_steps": drawn_steps(random)["num_warmup_steps"],
        "num_decay_steps": random.choice([0, 1, random.randint(2, 30)]),
        **random.choice(
            [
                {"num_training_steps": drawn_steps(random)["num_training_steps"]},
                {"num_stable_steps": random.choice([0, 1, random.randint(2, 20)])},
                {"num_training_steps": 30, "num_stable_steps": random.randint(0, 20)},
            ]
        ),
        **num_cycles(random),
        "warmup_type": random.choice(["linear", "cosine", "1-sqrt"]),
        "decay_type": random.choice(["linear", "cosine", "1-sqrt"]),
        "min_lr_ratio": random.choice([0.0, 1.0, between(random, 0, 1)]),
    },
}


def transformers_case(random):
    """One scheduler of any name, also with arguments at the edge: no steps, a warm-up beyond the end, no cycles."""
    groups, kind = drawn_groups(random), random.choice([*TRANSFORMERS, "polynomial"])
    config = {"type": kind, **TRANSFORMERS[kind](random)}
    driven = kind in ("greedy", "reduce_lr_on_plateau")
    if driven and random.random() < 0.3:
        config["min_lr"] = [between(random, 0, 0.3) for _ in groups]
    metrics = [between(random, 0.5, 2) for _ in range(70)] if driven else None
    default = between(random, 0.25, 1)
    more = {"epoch_length": None, "metrics": metrics, "events": 70, "default": default}
    return {"configs": [config], "groups": groups, **more}


def in_transformers(case):
    """What transformers has for it, up to the step at which it fails, if it does."""
    from transformers import optimization as library

    [config] = case["configs"]
    optimizer, rows = optimizer_of(case), []
    function = library.TYPE_TO_SCHEDULER_FUNCTION[library.SchedulerType(config["type"])]
    names = inspect.signature(function).parameters
    kwargs = {key: value for key, value in config.items() if key in names or ("kwargs" in names and key != "type")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            scheduler = function(optimizer, **kwargs)
            for event in range(case["events"]):
                rows.append(held(optimizer))
                optimizer.step()
                scheduler.step(*([] if case["metrics"] is None else [case["metrics"][event]]))
        except ZeroDivisionError:
            pass
    return np.array(rows).reshape(-1, len(PARAMS), len(case["groups"]))
