"""The examples of the docstrings are run, and every public class has one."""

import doctest
import importlib
import inspect
import pkgutil
import re

from cases import for_each

import lehr.engine
import lehr.handlers
import lehr.handlers.forecast
import lehr.handlers.schedules

# Each imports a trainer, which make integrations installs.
CALLBACKS = {f"lehr.handlers.integrations.{name}" for name in ("lightning", "transformers", "skorch")}
PACKAGES = [lehr.handlers, lehr.engine]
MODULES = [
    name
    for package in PACKAGES
    for name in (package.__name__, *(m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")))
    if name not in CALLBACKS
]
PUBLIC = {
    f"{package.__name__}.{name}": getattr(package, name)
    for package in (*PACKAGES, lehr.handlers.forecast, lehr.handlers.schedules)
    for name in package.__all__
}
ABSTRACT = {"BaseParamScheduler", "CyclicalScheduler", "Cyclical"}


@for_each("module", MODULES)
def test_examples_print_what_they_say(module):
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in doctest.DocTestFinder().find(importlib.import_module(module)):
        if test.examples:  # a debugger is made for each
            runner.run(test)
    assert runner.summarize(verbose=False).failed == 0


@for_each("name", PUBLIC)
def test_everything_public_has_an_example(name):
    example = PUBLIC[name]
    assert inspect.getdoc(example)
    if example.__name__ not in ABSTRACT:
        assert doctest.DocTestParser().get_examples(example.__doc__), name


def takes(thing):
    """Which arguments a public class or function has."""
    return (
        list(inspect.signature(thing.__init__).parameters)[1:]
        if inspect.isclass(thing)
        else list(inspect.signature(thing).parameters)
    )


@for_each(
    "name",
    [
        name
        for name in PUBLIC
        if name.startswith("lehr.handlers.")
        and name.count(".") == 2
        and not name.endswith((".Schedule", ".ResumeWarning"))
    ],
)
def test_every_scheduler_says_what_it_takes(name):
    described = inspect.getdoc(PUBLIC[name]) or ""
    for parameter in takes(PUBLIC[name]):
        assert re.search(rf"(?m)^ +{parameter}:", described), parameter
    assert "Raises:" in described or not takes(PUBLIC[name])
