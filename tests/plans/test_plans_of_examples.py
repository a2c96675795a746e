"""No false alarm on the plans of the examples: nothing but what may well be meant."""

import argparse
import importlib
import re
from types import SimpleNamespace

import pytest
from ignite.engine import Engine

from lehr.handlers import check_plan


class CheckedError(Exception):
    """A run was about to begin, and was checked instead."""


@pytest.fixture
def findings(monkeypatch):
    """The findings on each run that was about to begin."""
    found: list = []

    def run(engine, data=None, max_epochs=None, epoch_length=None, **kwargs):
        found.append(check_plan(engine, max_epochs or 1, epoch_length or len(data)))
        raise CheckedError

    monkeypatch.setattr(Engine, "run", run)
    return found


@pytest.fixture
def example(repository, monkeypatch):
    monkeypatch.syspath_prepend(repository / "examples")
    return importlib.import_module


def alarms(findings):
    return [str(finding) for run in findings for finding in run if finding.severity != "info"]


@pytest.mark.parametrize("epochs", [2, 10])
def test_digits(example, findings, epochs):
    digits = example("digits")
    for plan in digits.PLANS.values():
        with pytest.raises(CheckedError):
            digits.run(plan, 0.1, epochs, seed=0)
    assert len(findings) == len(digits.PLANS)
    assert alarms(findings) == []


def test_from_config(example, findings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckedError):
        example("from_config").main()
    assert [len(run) for run in findings] == [0]


def test_distributed(example, findings, tmp_path):
    options = argparse.Namespace(epochs=8, until=8, resume=False, output=tmp_path)
    with pytest.raises(CheckedError):
        example("distributed").train(0, options)
    assert len(findings) == 1
    assert alarms(findings) == []


def test_the_checks_would_have_found_something(example, findings, tmp_path):
    """That what is found to be well was looked at: a shorter run than planned is found to be one."""
    options = argparse.Namespace(epochs=16, until=8, resume=False, output=tmp_path)
    with pytest.raises(CheckedError):
        example("distributed").train(0, options)
    assert [finding.code for finding in findings[0] if finding.severity != "info"] == ["end-not-reached"]


def test_the_first_page_of_the_documentation(repository, findings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (repository / "docs" / "start.md").read_text(), re.DOTALL)
    namespace: dict = {}
    for block in blocks:
        if not block.startswith(">>>"):
            try:
                exec(compile(block, "start.md", "exec"), namespace)
            except CheckedError:
                continue
    assert len(findings) == 1
    assert alarms(findings) == []
    assert SimpleNamespace(**namespace).lr
