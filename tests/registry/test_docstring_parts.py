"""The docstring of each public name has its parts: formula, arguments with units, shapes, errors, source, example."""

import ast
import builtins
import doctest
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
from cases import for_each
from legal_arguments import OTHERS, SCHEDULERS, SCHEDULES
from optimizers import make_optimizer
from public_names import RECORDED

import lehr.handlers
from lehr.handlers import BaseParamScheduler
from lehr.handlers.schedules import Curve, Schedule
from lehr.handlers.schedules.chainable_rules import Rule

# The papers that a schedule and its scheduler are from.
SOURCES = {
    "BatchRamp": "2205.10287",
    "BatchSizeScheduler": "1711.00489",
    "Cooldown": "2404.06395",
    "CooldownPolicy": "2405.18392",
    "CosineAnnealing": "1608.03983",
    "CosineAnnealingScheduler": "1608.03983",
    "CosineDecayScheduler": "1608.03983",
    "CosineRestartScheduler": "1608.03983",
    "Cyclic": "1506.01186",
    "CyclicScheduler": "1506.01186",
    "Greedy": "2512.14527",
    "InverseSquareRootScheduler": "2106.04560",
    "KDecay": "2004.05909",
    "LinearCyclical": "1506.01186",
    "LinearCyclicalScheduler": "1506.01186",
    "LossForecast": "2503.12811",
    "OneCycle": "1708.07120",
    "OneCycleScheduler": "1708.07120",
    "PhaseScheduler": "2404.06395",
    "Phases": "2404.06395",
    "Polynomial": "1606.00915",
    "PolynomialScheduler": "1606.00915",
    "Power": "2405.18392",
    "PowerDecay": "2106.04560",
    "Restarts": "1608.03983",
    "Rex": "2107.04197",
    "Tanh": "1806.01593",
    "WarmupStableDecay": "2405.18392",
    "WarmupStableDecayScheduler": "2405.18392",
    "create_lr_scheduler_with_warmup": "1706.02677",
    "find_lr": "1506.01186",
    "rank_by_bound": "2501.18965",
}
# What the library makes and users read: its arguments are not checked. And an enumeration, which nobody calls.
RECORDS = {
    "Audit",
    "BoundRanking",
    "Difference",
    "Findings",
    "LRRangeTest",
    "LoggedDifference",
    "LossCurve",
    "LossForecast",
    "PlanDiff",
    "RankedSchedule",
    "Ranking",
}
NOT_CALLED = {"OptimizerEvents", "ResumeWarning"}
# Bases, whose subclasses have the formula; users' functions, and torch's own schedulers.
WITHOUT_FORMULA = {"Curve", "LiveSchedule", "Schedule", "StatefulSchedule", "FunctionSchedule", "LRScheduler"}
SHAPED = (Schedule, Curve, Rule)
DURATION = re.compile(
    r"duration|steps$|size|period|milestone|epoch|interval|patience|cooldown|timescale|decay_events|max_events|num_"
    r"|^(begin|end|start|starts|every|by|restarts|warmup)$"
)
# An argument is counted in one of these.
UNIT = re.compile(r"event|epoch|second|iteration|step|metric|cycle|batch|group|run|number of|process")
ARRAY = re.compile(r"ndarray|NDArray")
FORMULA = re.compile(r"``[^`]*(=|\(i( \+ 1)?\)|\*\*| \* )[^`]*``|::\n\n")
BAD = (object(), "nonsense", -1, 0.5, float("nan"), [], [object()])


def public() -> dict[str, Any]:
    """Each public class and function once, under the first of its paths."""
    found: dict[int, tuple[str, Any]] = {}
    for path in RECORDED:
        module, _, name = path.rpartition(".")
        thing = getattr(importlib.import_module(module), name)
        found.setdefault(id(thing), (path, thing))
    return dict(found.values())


def methods_of(cls: Any) -> Iterator[tuple[str, Any, bool]]:
    """The public methods and properties of a class that lehr defines: name, function, and whether it is a method."""
    for name in dir(cls):
        found = inspect.getattr_static(cls, name)
        function = found.fget if isinstance(found, property) else getattr(found, "__func__", found)
        if not name.startswith("_") and inspect.isfunction(function) and function.__module__.startswith("lehr"):
            yield name, function, not isinstance(found, property)


PUBLIC = public()
METHODS = {
    f"{function.__module__}.{function.__qualname__}": (cls, name, function, is_method)
    for cls in PUBLIC.values()
    if inspect.isclass(cls)
    for name, function, is_method in methods_of(cls)
}
# Those that users call: of schedulers, plans and the history.
CALLED = {
    path: row
    for path, row in METHODS.items()
    if issubclass(row[0], BaseParamScheduler) or path.startswith(("lehr.handlers.plans", "lehr.handlers.forecast"))
}


def described(thing: Any) -> str:
    return inspect.getdoc(thing) or ""


def section(text: str, title: str) -> str:
    """A section of a docstring, without its title; empty if there is none."""
    found = re.search(rf"(?ms)^{title}:\n(.*?)(?=^\S|\Z)", text)
    return found[1] if found else ""


def arguments_in(text: str) -> dict[str, str]:
    """The arguments that a docstring describes, and what it says of each."""
    rows = re.findall(r"(?ms)^    \**(\w+): (.*?)(?=^    \**\w+: |\Z)", section(text, "Args"))
    return dict(rows)


def parameters(thing: Any) -> dict[str, inspect.Parameter]:
    if thing.__name__ in NOT_CALLED:
        return {}
    found = inspect.signature(thing).parameters
    if thing is Schedule:  # which is abstract
        return {}
    return {name: one for name, one in found.items() if name not in ("self", "cls")}


@for_each("path", PUBLIC)
def test_every_argument_is_described_in_its_order(path):
    named = [name for name in arguments_in(described(PUBLIC[path])) if name != "options"]
    assert named == [name for name in parameters(PUBLIC[path]) if name in named or name != "options"]


@for_each("path", PUBLIC)
def test_durations_say_what_they_count(path):
    told = arguments_in(described(PUBLIC[path]))
    unclear = {name: text for name, text in told.items() if DURATION.search(name) and not UNIT.search(text)}
    assert unclear == {}


@for_each("path", [path for path, thing in PUBLIC.items() if parameters(thing) and thing.__name__ not in RECORDS])
def test_what_takes_arguments_says_which_errors_it_raises(path):
    errors = section(described(PUBLIC[path]), "Raises")
    told = {
        one
        for line in re.findall(r"^    ([A-Z]\w+(?:, [A-Z]\w+)*): \S", errors, re.MULTILINE)
        for one in line.split(", ")
    }
    assert told
    assert all(issubclass(getattr(builtins, one), Exception) for one in told)


@for_each("path", PUBLIC)
def test_everything_public_has_an_example_that_prints(path):
    if PUBLIC[path].__name__ != "ResumeWarning":
        examples = doctest.DocTestParser().get_examples(PUBLIC[path].__doc__)
        assert any(example.want for example in examples) or "DriftCheck" in path


@for_each("path", PUBLIC)
def test_schedules_have_a_formula(path):
    thing = PUBLIC[path]
    if inspect.isclass(thing) and issubclass(thing, (*SHAPED, BaseParamScheduler)):
        before_arguments = described(thing).partition("\nArgs:")[0]
        assert FORMULA.search(before_arguments) or thing.__name__ in WITHOUT_FORMULA


@for_each("path", PUBLIC)
def test_schedules_and_arrays_have_shapes(path):
    thing = PUBLIC[path]
    is_schedule = inspect.isclass(thing) and issubclass(thing, SHAPED)
    if is_schedule or any(ARRAY.search(str(one)) for one in parameters(thing).values()):
        assert "Shapes: " in described(thing)


@for_each("path", METHODS)
def test_methods_have_a_docstring_and_shapes(path):
    cls, name, function, _ = METHODS[path]
    text = described(getattr(cls, name))
    assert text
    if ARRAY.search(str(inspect.signature(function))) or name == "simulate_values":
        assert "Shapes: " in text or issubclass(cls, SHAPED)


@for_each("path", [path for path, (_, _, _, is_method) in CALLED.items() if is_method])
def test_methods_that_users_call_describe_their_arguments(path):
    cls, name, function, _ = CALLED[path]
    assert set(parameters(function)) <= set(arguments_in(described(getattr(cls, name))))


def raises(function: Any) -> bool:
    """Whether the code of a function raises an error."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return any(isinstance(node, ast.Raise) for node in ast.walk(tree))


@for_each("path", lambda: [path for path, row in METHODS.items() if row[3] and raises(row[2])])
def test_methods_that_raise_say_so(path):
    cls, name, _, _ = METHODS[path]
    assert section(described(getattr(cls, name)), "Raises")


@for_each("name", SOURCES)
def test_sources_are_linked(name):
    [thing] = [thing for path, thing in PUBLIC.items() if path.rpartition(".")[2] == name]
    assert f"https://arxiv.org/abs/{SOURCES[name]}" in described(thing)


@for_each("path", PUBLIC)
def test_no_other_source_is_named(path):
    if "arxiv.org" in described(PUBLIC[path]):
        assert path.rpartition(".")[2] in SOURCES


def made_with(make: Any, kwargs: dict[str, Any], name: str, value: Any) -> Exception | None:
    """The error of a call in which one argument is wrong; None if it is legal."""
    try:
        make(**{**kwargs, name: value})
    except Exception as error:
        return error
    return None


CALLS = {
    **{
        name: (getattr(lehr.handlers.schedules, name), lambda kwargs=kwargs: kwargs)
        for name, kwargs in SCHEDULES.items()
    },
    **{
        name: (getattr(lehr.handlers, name), lambda arguments=arguments: arguments(make_optimizer()))
        for name, arguments in SCHEDULERS.items()
    },
    **{name: (make, lambda kwargs=kwargs: kwargs) for name, (make, kwargs) in OTHERS.items() if make.__doc__},
}


@pytest.mark.filterwarnings("ignore")
@for_each("name", CALLS)
def test_wrong_arguments_raise_the_errors_that_are_described(name):
    make, arguments = CALLS[name]
    text = section(described(make), "Raises")
    if "see :class:`DecayScheduler`" in text:
        text = section(described(lehr.handlers.DecayScheduler), "Raises")
    told = {error for line in re.findall(r"(?m)^    (\w[\w, ]+):", text) for error in line.split(", ")}
    kwargs = arguments()
    errors = [made_with(make, kwargs, argument, value) for argument in kwargs for value in BAD]
    raised = {type(error).__name__ for error in errors if error is not None}
    assert raised <= told
    assert raised or not kwargs
