"""The tables of values recorded from other libraries, and how a config is run against one."""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import torch
from ignite.engine import Engine, Events

from lehr.handlers import configure_scheduler

FOLDER = Path(__file__).resolve().parent.parent / "golden"
PEERS = ("torch", "mmengine", "mmagic", "cerebras", "timm", "transformers")


def cases_of(peer, folder=FOLDER, prefix=""):
    return json.loads((Path(folder) / f"{prefix}{peer}.json").read_text())


def config_of(case):
    """The config that a table is of."""
    peer = case["peer"].split(".")[0].split("-")[0]
    if case["class"] == "list":
        return [nested(peer, one, case) for one in case["kwargs"]["schedulers"]]
    return nested(peer, {"class": case["class"], "kwargs": case["kwargs"]}, case)


def nested(peer, value, case):
    kwargs = {key: understood(peer, one, case) for key, one in value["kwargs"].items()}
    if peer == "mmengine" and value["class"].endswith("ParamScheduler"):
        kwargs.setdefault("param_name", case["param"])
        if case["note"] == "defaults, end INF":
            kwargs["end"] = 10**9  # a config without an end, whose values depend on it, is refused
    return {"type": f"{peer}.{value['class']}", **kwargs}


def understood(peer, value, case):
    if isinstance(value, str) and value.startswith("lambda"):
        return eval(value, {"math": math})
    if isinstance(value, list):
        return [understood(peer, one, case) for one in value]
    if isinstance(value, dict) and set(value) == {"class", "kwargs"}:
        return nested(peer, value, case)
    return value


def optimizer_of(case):
    """An optimizer with the hyper-parameters that the table was recorded with."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], **group} for group in case["optimizer"]["groups"]]
    for group in groups:
        if isinstance(group.get("betas"), list):
            group["betas"] = tuple(group["betas"])
    cls = getattr(torch.optim, case["optimizer"]["class"])
    return cls(groups, lr=case["optimizer"]["groups"][0]["lr"])


def held(optimizer, param):
    """The value of a parameter in each param group; momentum may be the first of the betas."""
    return [
        float(group["betas"][0] if param == "momentum" and "momentum" not in group else group[param])
        for group in optimizer.param_groups
    ]


def run(case, num_events):
    """What is in effect at each iteration of an engine, for the config of a table."""
    optimizer = optimizer_of(case)
    scheduler = configure_scheduler(optimizer, config_of(case), epoch_length=case["steps_per_epoch"])
    rows = []
    metrics = [float(metric) for metric in case["metrics"] or []]

    def iteration(engine, batch):
        rows.append(held(optimizer, case["param"]))
        if metrics:
            engine.state.metrics[case["kwargs"].get("monitor", "loss")] = metrics[engine.state.iteration - 1]

    trainer = Engine(iteration)
    scheduler.attach(trainer, Events.ITERATION_STARTED)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* must be .*, but .* writes")  # the library writes negative values too
        trainer.run([None] * num_events, max_epochs=1)
    return np.array(rows)


def expected_of(case):
    """The values of a table, ``(rows, groups)``."""
    return np.array([[float(value) for value in row] for row in case["values"]])
