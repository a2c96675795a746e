"""Escapes names for pages and for plotly, which would read tags such as ``<b>`` in them."""

import html
import textwrap

MOST_CHARACTERS = 60


def plain(text: str, most: int = MOST_CHARACTERS) -> str:
    """Return a text in one line without tags.

    The text is cut to ``most`` characters before it is escaped, so the result may be longer.

    >>> plain("<b>lr</b>"), len(plain("x" * 100))
    ('&lt;b&gt;lr&lt;/b&gt;', 60)
    """
    line = " ".join(_encodable(text).split())
    return html.escape(line if len(line) <= most else f"{line[: most - 3]}...", quote=False)


def plain_lines(text: str, width: int = MOST_CHARACTERS) -> str:
    """Return a text in lines of at most ``width`` characters, with ``<br>`` between the lines as the only tag.

    >>> plain_lines("a & b or c", width=6)
    'a &amp; b<br>or c'
    """
    return "<br>".join(html.escape(line, quote=False) for line in textwrap.wrap(_encodable(text), width))


def _encodable(text: str) -> str:
    """Return a text without lone surrogates, which cannot be written to a file."""
    return text.encode("utf-8", "replace").decode("utf-8")
