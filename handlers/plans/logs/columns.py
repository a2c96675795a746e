"""Finds the columns of a log by their headings: the column of steps, and the columns of a parameter's values."""

import re
from collections.abc import Iterable, Mapping, Sequence

from lehr.handlers.schedules.arguments import shown, shown_names

from .log import EPOCHS, EVENTS, FROM_0, FROM_1, TRAINER, Counting

# Headings of columns that count steps, the likeliest heading first.
STEPS: Mapping[str, Counting] = {
    "event_index": EVENTS,  # histories of lehr have this heading
    "trainer/global_step": FROM_0,  # Lightning's name in Weights & Biases
    "train/global_step": TRAINER,  # the name of transformers in Weights & Biases
    "global_step": FROM_0,
    "iteration": FROM_1,  # ignite and the plans of lehr count from 1
    "iterations": FROM_1,
    "step": FROM_0,
    "steps": FROM_0,
    "iter": FROM_1,
    "_step": FROM_0,
    "epoch": EPOCHS,
}
OTHER_VALUES = re.compile(r"momentum|weight[_ -]?decay|betas?\b|__(min|max)$|(^|[-_/])wd\b|warmup")
SPELLINGS = {"lr": r"(?:lr|learning[ _-]?rate)s?"}


def step_heading(headings: Iterable[str]) -> str | None:
    """Return the heading of the column that counts steps, or None if there is none.

    >>> step_heading(["epoch", "lr-SGD", "step", "train_loss"])
    'step'
    """
    found = {heading.strip().lower(): heading for heading in headings}
    return next((found[name] for name in STEPS if name in found), None)


def counting_of(heading: str, headings: Iterable[str]) -> Counting:
    """Return how the column with a given heading counts steps."""
    if heading == "step" and {"learning_rate", "epoch"} <= set(headings):
        return TRAINER  # a file with only the entries of the Trainer's log_history
    return STEPS.get(heading.strip().lower(), FROM_0)


def value_headings(headings: Sequence[str], name: str, column: str | None = None) -> list[str]:
    """Return the headings of the values of a parameter, one for each param group.

    Args:
        headings: all headings.
        name: the name of the parameter, such as ``"lr"``.
        column: a heading that the user chose.

    Raises:
        ValueError: no heading fits, or the chosen heading does not exist.

    Example:
        >>> value_headings(["epoch", "train/learning_rate", "base_lr", "loss"], "lr")
        ['train/learning_rate']
        >>> value_headings(["step", "lr-SGD/pg1", "lr-SGD/pg2", "lr-SGD-momentum"], "lr")
        ['lr-SGD/pg1', 'lr-SGD/pg2']
    """
    if column is not None:
        if column not in headings:
            raise ValueError(f"column must be among {shown_names(headings)}, given {shown(column)}")
        return [column]
    spelled = SPELLINGS.get(name, re.escape(name))
    patterns = [
        rf"(?:^|[/ .])'?{spelled}(?:\[\d+\]|[_/]?(?:group_?)?\d+|/pg\d+)?$",
        rf"(?:^|[/ .]){spelled}-[\w.]+(?:/pg\d+)?$" if name == "lr" else rf"-{spelled}(?:/pg\d+)?$",
        rf"(?:^|[^a-z]){spelled}(?:$|[^a-z])",
    ]
    for pattern in patterns:
        found = [one for one in headings if re.search(pattern, one.strip().lower())]
        if name == "lr":
            found = [one for one in found if not OTHER_VALUES.search(one.strip().lower())]
        if found:
            return found
    if "Value" in headings and "Wall time" in headings:  # TensorBoard exports a tag in this form
        return ["Value"]
    raise ValueError(
        f"a heading must name {name!r}, or column must be the heading of its values, given {shown_names(headings)}"
    )
