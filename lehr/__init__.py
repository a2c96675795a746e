"""Hyper-parameter schedules for PyTorch: see them before you train, and trust them after you resume.

The schedulers are in :mod:`lehr.handlers`, the pure schedules in :mod:`lehr.handlers.schedules`, and the
additions to ignite's engine in :mod:`lehr.engine`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

__version__ = "1.0.0"

# An installed lehr has `handlers` and `engine` in this folder. In a clone of the repository, they are beside it.
if not Path(__path__[0], "handlers").is_dir():
    __path__.append(str(Path(__path__[0]).parent))

if not TYPE_CHECKING:  # if type checkers saw ``__getattr__``, they would accept misspelt names

    def __getattr__(name):
        """Import ``lehr.engine`` or ``lehr.handlers`` when it is first used."""
        if name not in ("engine", "handlers"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
        from importlib import import_module

        return import_module(f"lehr.{name}")
