"""Tells files that are not regular, whose reader may wait for ever."""

import os
import stat

KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def special_file(path: str | os.PathLike[str]) -> str | None:
    """What a path leads to, in words, if it is neither a regular file nor a folder; None if it is, or is missing.

    >>> special_file(os.devnull), special_file("missing.yaml")
    ('a device', None)
    """
    try:
        return KINDS.get(stat.S_IFMT(os.stat(path).st_mode))
    except (OSError, ValueError):
        return None  # an error of open() says more
