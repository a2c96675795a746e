"""Everything public is registered everywhere: one test that lists all that is missing."""

import doctest
import inspect
from pathlib import Path

import gallery
from legal_arguments import SCHEDULERS, SCHEDULES
from public_names import RECORDED, RECORDED_CALLS, broken, public_calls, public_names
from registry import EXAMPLES
from rigs import RIGS

import lehr.handlers
import lehr.handlers.schedules
from lehr.handlers import BaseParamScheduler
from lehr.handlers.config.dialects.lehr import SCHEDULERS as CONFIG_TYPES
from lehr.handlers.schedules import Curve, Schedule

# Base classes, which make no schedule themselves.
BASES = {"BaseParamScheduler", "CyclicalScheduler", "DecayScheduler"} | {
    "Schedule",
    "LiveSchedule",
    "StatefulSchedule",
    "Curve",
    "Cyclical",
}
FUNCTIONS = {"create_lr_scheduler_with_warmup"}
RANKINGS = {"BoundRanking", "RankedSchedule", "rank_by_bound"}  # in the folder of schedules, and no schedules


def public(module, *kinds):
    """The names of the classes of these kinds that a module offers, other than bases."""
    classes = {name: getattr(module, name) for name in module.__all__ if inspect.isclass(getattr(module, name))}
    return {name for name, cls in classes.items() if issubclass(cls, kinds) and name not in BASES}


ALL_SCHEDULERS = public(lehr.handlers, BaseParamScheduler)
ALL_SCHEDULES = public(lehr.handlers.schedules, Schedule, Curve)


def missing(repository: Path) -> list[str]:
    """One line for each place where a public scheduler or schedule is not registered."""
    tried = {example.cls.__name__ for example in EXAMPLES} | {type(make().scheduler).__name__ for make in RIGS.values()}
    of_schedules = [picture for pictures in gallery.SCHEDULES.values() for picture in pictures]
    numbers = "\n".join(path.read_text() for path in (repository / "tests" / "schedules").glob("*.py"))
    lines = []

    def check(names, registered, where):
        lines.extend(f"{name}: add it to {where}" for name in sorted(names - set(registered)))

    schedulers_drawn = {picture.name for picture in gallery.SCHEDULERS}
    schedules_drawn = {picture.name for picture in of_schedules}
    check(ALL_SCHEDULERS | FUNCTIONS, schedulers_drawn, "SCHEDULERS in an examples/gallery/gallery_*.py")
    check(ALL_SCHEDULES, schedules_drawn, "SCHEDULES in an examples/gallery/gallery_*.py")
    # A picture with the arguments of its lines is an example, too.
    rules = set(lehr.handlers.schedules.__all__) - BASES - ALL_SCHEDULES - RANKINGS
    where = "MORE_EXAMPLES in tests/registry/registry.py, or RIGS in tests/registry/rigs.py"
    check(ALL_SCHEDULERS & schedulers_drawn, tried, where)
    check(ALL_SCHEDULERS & schedulers_drawn, SCHEDULERS, "SCHEDULERS in tests/registry/legal_arguments.py")
    check(ALL_SCHEDULES & schedules_drawn | rules, SCHEDULES, "SCHEDULES in tests/registry/legal_arguments.py")
    check(ALL_SCHEDULERS, CONFIG_TYPES, "SCHEDULERS in handlers/config/dialects/lehr.py")
    check(
        ALL_SCHEDULES, [name for name in ALL_SCHEDULES if f"{name}(" in numbers], "a test of numbers in tests/schedules"
    )
    check(set(public_names()), RECORDED, "tests/golden/public_names.txt: make gallery")
    check(set(public_calls()), RECORDED_CALLS, "tests/golden/public_calls.json: make gallery")
    reference = "\n".join(path.read_text() for path in (repository / "docs" / "reference").glob("*.rst")).split()
    listed = {path.rpartition(".")[2] for path in reference}
    check({path.rpartition(".")[2] for path in public_names()}, listed, "a page in docs/reference")
    pictures = [f"{picture.name}.png" for picture in gallery.SCHEDULERS]
    pictures += [f"schedules/{picture.name}.png" for picture in of_schedules]
    check(
        set(pictures),
        [name for name in pictures if (gallery.FOLDER / name).is_file()],
        "examples/gallery: make gallery",
    )
    for path, text in gallery.pages().items():
        if not path.is_file() or path.read_text() != text:
            lines.append(f"{path.relative_to(repository)} is out of date: make gallery")
    for module, names in ((lehr.handlers, ALL_SCHEDULERS), (lehr.handlers.schedules, ALL_SCHEDULES)):
        for name in sorted(names):
            described = inspect.getdoc(getattr(module, name)) or ""
            if not doctest.DocTestParser().get_examples(described):
                lines.append(f"{name}: its docstring needs an example that is run (>>>)")
            if module is lehr.handlers and "Raises:" not in described:
                lines.append(f"{name}: its docstring needs a section Raises")
    return lines


def test_everything_public_is_registered(repository):
    lines = missing(repository)
    assert not lines, "\n" + "\n".join(lines)


def test_nothing_is_registered_that_is_not_public():
    drawn = [picture.name for picture in gallery.SCHEDULERS]
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= ALL_SCHEDULERS | FUNCTIONS
    drawn = [picture.name for pictures in gallery.SCHEDULES.values() for picture in pictures]
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) <= ALL_SCHEDULES
    assert set(SCHEDULERS) <= set(lehr.handlers.__all__)
    assert set(SCHEDULES) <= set(lehr.handlers.schedules.__all__)


def test_bases_are_abstract():
    modules = (lehr.handlers, lehr.handlers.schedules)
    bases = [getattr(module, name) for module in modules for name in BASES if hasattr(module, name)]
    assert len(set(bases)) == len(BASES)
    assert all(inspect.isabstract(base) for base in bases if issubclass(base, Schedule | Curve))


def test_public_names_keep_their_import_paths():
    assert set(RECORDED) - set(public_names()) == set(), "these were public, and must stay importable from there"


def test_public_calls_stay_as_they_are():
    now = public_calls()
    assert len(RECORDED_CALLS) > 200
    assert set(RECORDED_CALLS) - set(now) == set(), "these could be called"
    assert {name: lines for name, before in RECORDED_CALLS.items() if (lines := broken(before, now[name]))} == {}


def test_a_changed_call_is_noticed():
    before = [["a", "POSITIONAL_OR_KEYWORD", None], ["b", "POSITIONAL_OR_KEYWORD", "1"]]
    assert broken(before, [*before, ["c", "KEYWORD_ONLY", "2"]]) == []
    assert broken(before, [*before, ["c", "KEYWORD_ONLY", None]]) == ["c is new, and must be given"]
    assert broken(before, before[:1]) == ["b is gone", "the order of the positional arguments is ['a']"]
    assert broken(before, before[::-1]) == ["the order of the positional arguments is ['b', 'a']"]
    [line] = broken(before, [before[0], ["b", "POSITIONAL_OR_KEYWORD", "2"]])
    assert line == "b: ['POSITIONAL_OR_KEYWORD', '1'] is ['POSITIONAL_OR_KEYWORD', '2']"
