"""One test over many cases: it runs them all, and names each that fails.

``pytest.mark.parametrize`` makes a test of each case, which costs more than many a case takes. Run a single case with
``CASE="one cycle, 3 groups" pytest tests/promises/test_promises.py``.
"""

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any, NamedTuple

import pytest
from hypothesis import settings

LONGEST_NAME = 80
# Which cases a test runs that leaves most of them to the proofs.
PART, OTHERS = "part", "all others"


class CasesFailed(ExceptionGroup[Exception]):
    """The errors of all cases that failed, each with a note that names its case."""


class _Case(NamedTuple):
    """A case: its arguments, what it is called, and its place in each list of cases, added up."""

    arguments: dict[str, Any]
    label: str
    place: int


def for_each(
    names: str | Sequence[str],
    cases: Iterable[Any] | Callable[[], Iterable[Any]],
    ids: Iterable[Any] | Callable[[Any], object] | None = None,
    one_in: int = 1,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test function for each case, in one test; the arguments are those of ``pytest.mark.parametrize``.

    As with ``parametrize``, two of these above one function run all pairs. Each case has a ``monkeypatch``, a
    ``tmp_path``, a ``recwarn``, a ``caplog`` and a ``capsys`` in which nothing is left of the case before it; the cases
    share other fixtures.

    Args:
        names: which arguments of the function a case gives.
        cases: a value for each case, or a tuple of values if there are several names; or a function that returns them,
            which is called when the test runs, for cases that take long to find.
        ids: what each case is called, or a function that names each of its values.
        one_in: 5 runs a fifth of the cases by default, and all others in the proofs: the first case and each fifth one
            after it, or of pairs those whose places in the two lists add up to a multiple of 5. The outermost of
            several ``for_each`` takes it; where a list has 5 cases or more, each case of the other is run by default.
    """
    given = [names] if isinstance(names, str) else list(names)

    @functools.cache
    def own() -> list[_Case]:
        found = cases if isinstance(cases, Iterable) else cases()
        rows = [(case,) if isinstance(names, str) else tuple(case) for case in found]
        if ids is None or callable(ids):
            labels = ["-".join(_name_of(value, ids) for value in row) for row in rows]
        else:
            labels = [*map(str, ids)]
        return [
            _Case(dict(zip(given, row, strict=True)), label, at)
            for at, (row, label) in enumerate(zip(rows, labels, strict=True))
        ]

    if isinstance(cases, Iterable):
        own()

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        assert PART not in inspect.signature(function).parameters, "one_in belongs to the outermost for_each"
        inner, of_inner = getattr(function, "cases", (function, lambda: [_Case({}, "", 0)]))

        @functools.cache
        def every() -> list[_Case]:
            return [
                _Case(
                    one.arguments | other.arguments,
                    "-".join(filter(None, (other.label, one.label))),
                    one.place + other.place,
                )
                for one, other in product(own(), of_inner())
            ]

        @functools.wraps(function)
        def run_all(**fixtures: Any) -> None:
            wanted, failed = os.environ.get("CASE"), []
            in_proofs = fixtures.pop(PART, None) == OTHERS
            for at, case in enumerate(every()):
                if wanted != case.label if wanted else (case.place % one_in > 0) != in_proofs:
                    continue
                try:
                    with _fresh(fixtures, at) as of_case:
                        inner(**of_case, **case.arguments)
                except (Exception, pytest.fail.Exception) as error:
                    failure = error if isinstance(error, Exception) else AssertionError(str(error))
                    failure.add_note(f"in the case {case.label!r}")
                    failed.append(failure.with_traceback(error.__traceback__))
            if failed:
                raise CasesFailed(f"{len(failed)} of {len(every())} cases failed", failed)

        parameters = inspect.signature(function).parameters.values()
        kept = [parameter for parameter in parameters if parameter.name not in given]
        if one_in > 1:
            kept.append(inspect.Parameter(PART, inspect.Parameter.KEYWORD_ONLY))
        run_all.__signature__ = inspect.Signature(kept)  # type: ignore[attr-defined]
        run_all.cases = inner, every  # type: ignore[attr-defined]
        if one_in > 1:
            return pytest.mark.parametrize(PART, [f"one in {one_in}", pytest.param(OTHERS, marks=pytest.mark.proof)])(
                run_all
            )
        return run_all

    return decorate


def few_by_default(number: int) -> settings:
    """So many examples of a test by default, and as many as of any other test in the proofs."""
    usual = settings.get_profile("lehr").max_examples
    return settings(max_examples=number if settings().max_examples == usual else settings().max_examples)


def _name_of(value: object, ids: Callable[[Any], object] | None) -> str:
    named = ids(value) if ids else None
    text = str(getattr(value, "__name__", value) if named is None else named)
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}..."


@contextmanager
def _fresh(fixtures: dict[str, Any], at: int) -> Iterator[dict[str, Any]]:
    """The fixtures of a case, where nothing is left of the case before it."""
    own = dict(fixtures)
    if "tmp_path" in own:
        own["tmp_path"] = fixtures["tmp_path"] / str(at)
        own["tmp_path"].mkdir()
    for name in {"recwarn", "caplog"} & own.keys():
        own[name].clear()
    if "capsys" in own:
        own["capsys"].readouterr()
    with pytest.MonkeyPatch.context() as patch:
        if "monkeypatch" in own:
            own["monkeypatch"] = patch
        yield own
