"""Finds the length of the run in a config."""

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lehr.handlers.schedules import RunLength

from .files import name_of, read
from .plain_containers import as_containers
from .recognition import plain_config
from .run_length_arguments import checked, or_else
from .sections import find_section, run_of_file

# A trainer's config has the iterations of the run under one of `STEPS_OF_RUN`, or the epochs under `EPOCHS_OF_RUN`.
STEPS_OF_RUN = ("max_train_steps", "max_steps", "train_iters")
EPOCHS_OF_RUN = "num_train_epochs"


def with_stated(run: RunLength, config: Any) -> RunLength:
    """Return the length of a run. If it is unknown, use the length in the config, if that length is valid.

    Args:
        run: the numbers of the length that are known.
        config: a plain config. An entry may have the steps or the epochs of the run. The epochs may have a fraction.

    Example:
        >>> config = {"type": "hf.TrainingArguments", "num_train_epochs": 2.5}
        >>> with_stated(RunLength(epoch_length=10), config).steps
        25
        >>> with_stated(RunLength(total_steps=30), config).steps
        30
    """
    if run.max_epochs is not None or run.total_steps is not None or not isinstance(config, Mapping):
        return run
    for key in STEPS_OF_RUN:
        if type(config.get(key)) is int and config[key] > 0:
            return replace(run, total_steps=config[key])
    epochs = config.get(EPOCHS_OF_RUN)
    if not isinstance(epochs, int | float) or isinstance(epochs, bool) or not 0 < epochs < math.inf:
        return run
    if epochs == int(epochs):
        return replace(run, max_epochs=int(epochs))
    return run if run.epoch_length is None else replace(run, total_steps=math.ceil(epochs * run.epoch_length))


def stated_run(config: Any, *, epoch_length: int | None, dialect: str | None, section: str | None) -> RunLength:
    """Return the length of the run in a config. If the config has none, the length is unknown.

    Args:
        config: a mapping, a list, or the path of a file.
        epoch_length: iterations in an epoch, if they are known.
        dialect: as in ``configure_scheduler``.
        section: as in ``configure_scheduler``.

    Raises:
        TypeError, ValueError, FileNotFoundError, ImportError: the config cannot be read; see ``configure_scheduler``.
    """
    where = "config"
    if isinstance(config, str | os.PathLike):
        where, config = name_of(config), read(Path(config))
    whole = as_containers(where, config)
    path, part, _ = find_section(where, whole, section, dialect)
    run = or_else(checked("", {"epoch_length": epoch_length}), run_of_file(whole))
    return with_stated(run, plain_config(path, part, dialect))
