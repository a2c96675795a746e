"""timm's schedulers, drawn at random, and what timm has for them."""

import importlib
import importlib.util
import sys
import types
import warnings

import numpy as np
from drawn_configs import between, drawn_groups, held, optimizer_of


def timm_cycles(random):
    return {
        "t_initial": random.randint(1, 20),
        "lr_min": random.choice([0.0, between(random, 0, 0.3)]),
        "cycle_mul": random.choice([1.0, 2.0, 1.5]),
        "cycle_decay": random.choice([1.0, 0.5, 0.8]),
        "cycle_limit": random.randint(1, 4),
        "warmup_prefix": random.random() < 0.5,
    }


TIMM = {
    "CosineLRScheduler": lambda random: {**timm_cycles(random), "k_decay": random.choice([1.0, 0.5, 2.0])},
    "MultiStepLRScheduler": lambda random: {
        "decay_t": sorted(random.randint(0, 30) for _ in range(random.randint(1, 4))),
        "decay_rate": random.choice([0.0, 1.0, between(random, 0.1, 1)]),
        "warmup_prefix": random.random() < 0.5,
    },
    "PlateauLRScheduler": lambda random: {
        "decay_rate": between(random, 0.05, 0.95),
        "patience_t": random.randint(0, 3),
        "threshold": random.choice([1e-4, 0.1]),
        "cooldown_t": random.randint(0, 2),
        "lr_min": random.choice([0.0, between(random, 0, 0.4)]),
        "mode": random.choice(["min", "max"]),
    },
    "PolyLRScheduler": lambda random: {
        **timm_cycles(random),
        "power": random.choice([0.0, between(random, 0.2, 3)]),
        "k_decay": random.choice([1.0, 0.5, 2.0]),
    },
    "StepLRScheduler": lambda random: {
        "decay_t": random.randint(1, 12),
        "decay_rate": random.choice([0.0, 1.0, between(random, 0.1, 1)]),
        "warmup_prefix": random.random() < 0.5,
    },
    "TanhLRScheduler": lambda random: {
        **timm_cycles(random),
        "lb": between(random, -7, -1),
        "ub": between(random, 1, 4),
    },
    "WSDLRScheduler": lambda random: {
        "t_initial": random.randint(10, 30),
        "decay_t": random.randint(1, 10),
        "lr_min": random.choice([0.0, between(random, 0, 0.3)]),
        "stable_fn": random.choice(["constant", "rsqrt", "power"]),
        "stable_timescale": between(random, 1, 9),
        "stable_power": between(random, 0.2, 2),
        "decay_fn": random.choice(["linear", "1-sqrt", "cosine", "power", "exp"]),
        "decay_power": between(random, 0.2, 2),
        "decay_ratio": between(random, 0.05, 0.9),
    },
}


def timm_case(random):
    """One scheduler of any type, with or without a warm-up, noise and an ``lr_scale`` of each group."""
    groups, events, kind = drawn_groups(random), 40, random.choice([*TIMM, "PlateauLRScheduler"])
    if random.random() < 0.6:
        for group in groups:
            if random.random() < 0.8:
                group["lr_scale"] = random.choice([1.0, between(random, 0.05, 2)])
    config = {"type": kind, **TIMM[kind](random)}
    if random.random() < 0.6:
        config |= {
            "warmup_t": random.choice([random.randint(0, 8), random.randint(8, 30)]),
            "warmup_lr_init": random.choice([0.0, between(random, 0, 0.3)]),
        }
    if random.random() < 0.5:
        begin = random.randint(0, 15)
        config |= {
            "noise_range_t": random.choice([begin, [begin, begin + random.randint(0, 15)]]),
            "noise_pct": between(random, 0.1, 0.9),
            "noise_std": between(random, 0.1, 2),
            **random.choice([{}, {"noise_seed": random.randint(0, 1000)}]),
        }
        if kind == "PlateauLRScheduler":
            config["noise_type"] = random.choice(["normal", "uniform"])
    epoch_length = random.choice([None, 1, 2, 3, 5])
    if epoch_length and kind != "PlateauLRScheduler" and random.random() < 0.5:
        config["t_in_epochs"] = False
    metrics = [between(random, 0.5, 2) for _ in range(events)] if kind == "PlateauLRScheduler" else None
    return {"configs": [config], "groups": groups, "epoch_length": epoch_length, "metrics": metrics, "events": events}


def timm_schedulers():
    """Timm's schedulers without the rest of timm, which needs torchvision."""
    if "timm" not in sys.modules:
        found = importlib.util.find_spec("timm")
        stub = types.ModuleType("timm")
        stub.__spec__, stub.__path__ = found, list(found.submodule_search_locations)
        sys.modules["timm"] = stub
    return importlib.import_module("timm.scheduler")


def in_timm(case):
    """What timm has for it: a constructor, then a step after each epoch or update."""
    library = timm_schedulers()
    [config] = case["configs"]
    optimizer, rows = optimizer_of(case), []
    kwargs = {key: value for key, value in config.items() if key != "type"}
    length = case["epoch_length"] or 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scheduler = getattr(library, config["type"])(optimizer, **kwargs)
        for event in range(case["events"]):
            rows.append(held(optimizer))
            scheduler.step_update(event + 1)
            if (event + 1) % length == 0:
                epoch = event // length
                scheduler.step(epoch + 1, None if case["metrics"] is None else case["metrics"][epoch])
    return np.array(rows)


def by_its_formula(case):
    """How many events hold what timm's constructor has left, where lehr follows the formula from event 0 on."""
    [config] = case["configs"]
    deviates = config["type"] in ("TanhLRScheduler", "MultiStepLRScheduler") and not config.get("warmup_t")
    return (case["epoch_length"] or 1) * deviates if config.get("t_in_epochs", True) else int(deviates)
