"""The function :func:`shortened`, which limits the length of an error text."""

MAX_LENGTH = 500


def shortened(text: str) -> str:
    """Return an error text. If it has more than 500 characters, leave out its middle.

    >>> len(shortened("given " + "0, " * 1000)), shortened("given 0")
    (500, 'given 0')
    """
    return text if len(text) <= MAX_LENGTH else f"{text[:397]}...{text[-100:]}"
