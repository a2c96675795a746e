"""The function :func:`shown`, which shows a value in an error text."""

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 200


def shown(value: object) -> str:
    """Return the repr of a value for an error text, of at most 200 characters.

    >>> shown([0] * 10_000), shown({"lr": 0.1})
    ('[0, 0, 0, 0, 0, 0, ...]', "{'lr': 0.1}")
    """
    try:
        text = _SHORT.repr(value)
    except Exception:  # a class of the user may raise any error in its ``__repr__``
        return f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= 200 else f"{text[:197]}..."
