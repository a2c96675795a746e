"""Functions that make the HTML and the pictures of plans and histories for a notebook."""

import base64
import html
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS = 8


def figure_with(panels: int) -> "Figure":
    """Return a figure with a number of panels, one below the other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 0.8 + 1.7 * panels), layout="constrained")
    figure.subplots(panels, sharex=True)
    return figure


def as_html(text: str, figure: "Figure | None" = None) -> str:
    """Return a text and a picture as HTML that contains the picture and refers to no other file.

    >>> as_html("lr < 1")
    '<pre>lr &lt; 1</pre>'
    """
    written = f"<pre>{html.escape(text)}</pre>"
    if figure is None:
        return written
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=100)
    data = base64.b64encode(picture.getvalue()).decode()
    return f'{written}<img alt="{html.escape(text.splitlines()[0])}" src="data:image/png;base64,{data}">'
