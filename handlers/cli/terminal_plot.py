"""A line of values in a terminal."""

import sys

import numpy as np

from lehr.handlers.schedules.base import Array

POINTS = 4000
HEIGHT = 12
# What stands for the characters of a picture where stdout has no such characters.
PLAIN = str.maketrans("─│┌┐└┘▁", "-|++++_")


def terminal_plot(indices: Array, values: Array, title: str, width: int) -> str:
    """A picture of one line in characters.

    Args:
        indices: event indices ``(n,)``, at most a few thousand.
        values: the values ``(n,)``.
        title: what stands above it.
        width: how many characters there are in a line of the terminal.

    Raises:
        ImportError: uniplot is not installed.
    """
    try:
        from uniplot import plot_to_string
    except ImportError as error:
        raise ImportError(
            "a plot in the terminal needs uniplot, which is not installed: pip install 'lehr[cli]', or -o lr.png"
        ) from error
    low, high = float(values.min()), float(values.max())
    if low == high:  # a line in the middle, with its value beside it
        low, high = low - (abs(low) or 1.0), high + (abs(high) or 1.0)
    unicode = can_say("▞│")
    with np.errstate(all="ignore"):  # the labels of an axis from 0 to 1e300 overflow
        text: str = plot_to_string(
            values,
            indices,
            title=title,
            lines=True,
            color=False,
            x_gridlines=[],
            y_gridlines=[],
            height=HEIGHT,
            width=max(width - 14, 20),
            line_length_hard_cap=width,
            y_min=low,
            y_max=high,
            character_set="block" if unicode else "ascii",
        )
    text = "\n".join(line.rstrip() for line in text.splitlines())
    return text if unicode else text.translate(PLAIN)


def can_say(text: str) -> bool:
    """Whether stdout has these characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
