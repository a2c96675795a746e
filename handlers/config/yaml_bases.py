"""Reads YAML files that extend the files in their key ``_BASE_``, as configs of detectron2 do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lehr.handlers.schedules.arguments import shown, within_limits

from .python_files import MOST_FILES, MOST_LEVELS, MOST_NAME, MOST_VALUES, merged

KEY = "_BASE_"


def with_bases(path: Path, root: Path, load: Callable[[Path], Any]) -> Any:
    """Return the content of a file merged over the content of the files that it names under ``_BASE_``.

    Args:
        path: the file.
        root: the folder below which the files under ``_BASE_`` must be.
        load: reads one file.

    Raises:
        ValueError: a file is not below ``root`` or is its own base; there are more than 100 files.
    """
    whole = _with_bases(path, root.resolve(), load, {}, ())
    within_limits("a file with the files of its _BASE_", whole, values=MOST_VALUES)
    return whole


def _with_bases(
    path: Path, root: Path, load: Callable[[Path], Any], known: dict[Path, Any], around: tuple[Path, ...]
) -> Any:
    own = load(path)
    if not isinstance(own, dict) or KEY not in own:
        return own
    bases = own.pop(KEY)
    whole: dict[str, Any] = {}
    for base in bases if isinstance(bases, list) else [bases]:
        if not isinstance(base, str) or len(base) > MOST_NAME:
            raise ValueError(f"{KEY} must be the path of a file, or a list of paths, given {shown(base)}")
        inner = (path.parent / base).resolve()
        if not inner.is_relative_to(root) or inner.suffix.lower() not in (".yaml", ".yml"):
            raise ValueError(f"{KEY} must be a YAML file below root, given {shown(base)}")
        if inner in (path.resolve(), *around) or len(around) >= MOST_LEVELS:
            raise ValueError(
                f"{KEY} must not lead back to its own file, nor be more than {MOST_LEVELS} deep, given {shown(base)}"
            )
        if inner not in known:
            if len(known) >= MOST_FILES:
                raise ValueError(f"{KEY} must lead to at most {MOST_FILES} files, given more")
            known[inner] = _with_bases(inner, root, load, known, (*around, path.resolve()))
        if not isinstance(known[inner], dict):
            raise ValueError(f"{KEY} must be a file with a mapping in it, given {shown(base)}")
        whole = merged(whole, known[inner])
    return merged(whole, own)
