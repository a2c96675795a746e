"""The table of Cerebras' optimizers: the class, the arguments and the defaults of each optimizer.

The table follows the signatures on the documentation page of Cerebras. If a torch class makes the same updates, the
table names the torch class. For ``eps`` of Adagrad and Lamb, the signatures have the default 1e-6, but the text of the
page names another default. The signature of NAdam lacks the option ``foreach``, which the text names.
"""

from typing import Any

import torch
from torch.optim import Optimizer

from .adafactor import Adafactor
from .adam import Adam, AdamW
from .lamb import Lamb
from .sgd import SGD

REQUIRED: Any = object()
BETAS = (0.9, 0.999)

# fmt: off
PAGE: dict[str, tuple[type[Optimizer], dict[str, Any]]] = {
    "ASGD": (torch.optim.ASGD,
        {"lr": 0.01, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0, "maximize": False}),
    "Adadelta": (torch.optim.Adadelta, {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0, "maximize": False}),
    "Adafactor": (Adafactor,
        {"lr": REQUIRED, "eps": (1e-30, 1e-3), "clip_threshold": 1.0, "decay_rate": -0.8, "beta1": None,
        "weight_decay": 0.0, "scale_parameter": True, "relative_step": False, "warmup_init": False}),
    "Adagrad": (torch.optim.Adagrad,
        {"lr": 0.01, "lr_decay": 0, "weight_decay": 0, "initial_accumulator_value": 0, "eps": 1e-6, "maximize": False}),
    "Adam": (Adam, {"lr": 1e-3, "betas": BETAS, "eps": 1e-6, "weight_decay": 0.0, "amsgrad": False}),
    "AdamW": (AdamW,
        {"lr": 1e-3, "betas": BETAS, "eps": 1e-6, "weight_decay": 0.0, "correct_bias": True, "amsgrad": False}),
    "Adamax": (torch.optim.Adamax, {"lr": 1e-3, "betas": BETAS, "eps": 1e-6, "weight_decay": 0.0, "maximize": False}),
    "Lamb": (Lamb, {"lr": 1e-3, "betas": BETAS, "eps": 1e-6, "weight_decay": 0, "adam": False}),
    "NAdam": (torch.optim.NAdam,
        {"lr": 2e-3, "betas": BETAS, "eps": 1e-8, "weight_decay": 0, "momentum_decay": 4e-3, "foreach": None}),
    "RAdam": (torch.optim.RAdam, {"lr": 1e-3, "betas": BETAS, "eps": 1e-6, "weight_decay": 0.0}),
    "RMSprop": (torch.optim.RMSprop,
        {"lr": 0.01, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0, "momentum": 0, "centered": False}),
    "Rprop": (torch.optim.Rprop, {"lr": 1e-3, "etas": (0.5, 1.2), "step_sizes": (1e-6, 50.0)}),
    "SGD": (SGD,
        {"lr": REQUIRED, "momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False, "maximize": False}),
}
# fmt: on
