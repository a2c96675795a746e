"""Configs drawn at random, and what lehr writes for them.

A case is a mapping: ``configs`` without the prefix of the library; ``groups``, the values of each param group;
``epoch_length``, None where the events are epochs; ``metrics``, one for each epoch, or None; ``events``, how many.
"""

import warnings

import numpy as np
import torch
from ignite.engine import Engine, Events

from lehr.handlers import configure_scheduler

PARAMS = ("lr", "momentum", "weight_decay")


def optimizer_of(case):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], **group} for group in case["groups"]]
    rate = case.get("default", case["groups"][0]["lr"])
    if not case.get("adam"):
        return torch.optim.SGD(groups, lr=rate, momentum=0.9)
    for group in groups:
        group["betas"] = (group.pop("momentum"), 0.99)
    return torch.optim.Adam(groups, lr=rate)


def held(optimizer):
    rows = [{"momentum": group.get("betas", [None])[0], **group} for group in optimizer.param_groups]
    return [[float(row[param]) for row in rows] for param in PARAMS]


def here(prefix, case):
    """What is in effect at each event, with lehr: ``(events, params, groups)``."""
    optimizer, rows = optimizer_of(case), []
    configs = [{**config, "type": f"{config.get('from', prefix)}.{config['type']}"} for config in case["configs"]]
    for config in configs:
        config.pop("from", None)
    epoch_length = case["epoch_length"]
    given = {} if epoch_length is None else {"epoch_length": epoch_length}
    scheduler = configure_scheduler(optimizer, configs if len(configs) > 1 else configs[0], **given)

    def iteration(engine, batch):
        rows.append(held(optimizer))
        if case["metrics"] is not None and len(rows) % (epoch_length or 1) == 0:
            engine.state.metrics["loss"] = case["metrics"][len(rows) // (epoch_length or 1) - 1]

    trainer = Engine(iteration)
    scheduler.attach(trainer, Events.ITERATION_STARTED)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* must be .*, but .* writes")  # the library writes negative values too
        trainer.run([None] * case["events"], max_epochs=1)
    return np.array(rows)


def between(random, low, high):
    return round(random.uniform(low, high), 3)


def drawn_groups(random):
    return [
        {
            "lr": between(random, 0.2, 1),
            "momentum": between(random, 0.5, 0.9),
            "weight_decay": between(random, 0.1, 0.5),
        }
        for _ in range(random.randint(1, 3))
    ]
