"""One test over many cases: it runs them all, and names each that fails.

``pytest.mark.parametrize`` makes a test of each case, which costs more than many a case takes. Run a single case with
``CASE="one cycle, 3 groups" pytest tests/promises/test_promises.py``.
"""

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest


class CasesFailed(ExceptionGroup[Exception]):
    """The errors of all cases that failed, each with a note that names its case."""


def for_each(
    names: str | Sequence[str], cases: Iterable[Any], ids: Iterable[Any] | Callable[[Any], object] = str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test function for each case, in one test; the arguments are those of ``pytest.mark.parametrize``.

    Args:
        names: which arguments of the function a case gives.
        cases: a value for each case, or a tuple of values if there are several names.
        ids: what each case is called, or a function that names each of its values.
    """
    given = [names] if isinstance(names, str) else list(names)
    rows = [(case,) if isinstance(names, str) else tuple(case) for case in cases]
    labels = ["-".join(str(ids(value)) for value in row) for row in rows] if callable(ids) else [*map(str, ids)]

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run_all(**fixtures: Any) -> None:
            wanted, failed = os.environ.get("CASE"), []
            for label, row in zip(labels, rows, strict=True):
                if wanted and wanted != label:
                    continue
                own = pytest.MonkeyPatch()  # what a case patches is undone before the next
                patch = {"monkeypatch": own} if "monkeypatch" in fixtures else {}
                try:
                    function(**fixtures | patch | dict(zip(given, row, strict=True)))
                except (Exception, pytest.fail.Exception) as error:
                    failure = error if isinstance(error, Exception) else AssertionError(str(error))
                    failure.add_note(f"in the case {label!r}")
                    failed.append(failure.with_traceback(error.__traceback__))
                finally:
                    own.undo()
            if failed:
                raise CasesFailed(f"{len(failed)} of {len(rows)} cases failed", failed)

        parameters = inspect.signature(function).parameters.values()
        kept = [parameter for parameter in parameters if parameter.name not in given]
        run_all.__signature__ = inspect.Signature(kept)  # type: ignore[attr-defined]
        return run_all

    return decorate
