"""The function :func:`special_file`, which recognises files that may block a reader for ever, such as named pipes."""

import os
import stat

KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def special_file(path: str | os.PathLike[str]) -> str | None:
    """Return a text such as ``"a socket"`` if a path leads to a special file. Return None for any other path.

    >>> special_file(os.devnull), special_file("missing.yaml")
    ('a device', None)
    """
    try:
        return KINDS.get(stat.S_IFMT(os.stat(path).st_mode))
    except (OSError, ValueError):
        return None  # the caller opens the path, and the error of ``open`` is more precise
