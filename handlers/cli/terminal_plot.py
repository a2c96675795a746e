"""Draws the values of one line with characters, for a terminal."""

import sys

import numpy as np

from lehr.handlers.schedules.base import Array

MOST_POINTS = 4000
HEIGHT = 12  # lines of text
# ASCII characters for a terminal that cannot print box-drawing characters.
PLAIN = str.maketrans("─│┌┐└┘▁", "-|++++_")


def terminal_plot(indices: Array, values: Array, title: str, width: int) -> str:
    """Return a string that is a picture of one line.

    Args:
        indices: the event indices ``(n,)``; n should be at most about :data:`MOST_POINTS`.
        values: the values ``(n,)``.
        title: the line above the picture.
        width: the width of the terminal in characters.

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
    if low == high:  # draw a constant line in the middle of the picture
        low, high = low - (abs(low) or 1.0), high + (abs(high) or 1.0)
    unicode = can_print("▞│")
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


def can_print(text: str) -> bool:
    """Return whether stdout can encode the characters of a text."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
