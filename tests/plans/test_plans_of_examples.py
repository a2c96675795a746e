"""``check_plan`` gives no false alarm for the examples: all its findings have the severity ``info``."""

import argparse
import importlib
import re
from types import SimpleNamespace

import pytest
from ignite.engine import Engine

from lehr.handlers import check_plan


class CheckedError(Exception):
    """Raised in place of a run, after the plan of the run has been checked."""


@pytest.fixture
def findings(monkeypatch):
    """Return the list of findings of each run, and make ``Engine.run`` check its plan and raise an error."""
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


def check(run, *arguments, **options):
    """Call a function of a lesson up to the point where its training would begin."""
    with pytest.raises(CheckedError):
        run(*arguments, **options)


def test_1_see_the_plan(example):
    lesson = example("lesson01_see_the_plan")
    trainer = lesson.make_trainer(decay_epochs=9, old_scheduler=False)
    assert list(check_plan(trainer, lesson.EPOCHS, lesson.STEPS_PER_EPOCH)) == []


@pytest.mark.parametrize("epochs", [2, 8])
def test_2_one_cycle(example, findings, epochs):
    lesson = example("lesson02_one_cycle")
    for plan in lesson.PLANS.values():
        check(lesson.run, plan, 0.1, epochs, seed=0)
    assert len(findings) == len(lesson.PLANS)
    assert alarms(findings) == []


def test_3_find_lr(example, findings):
    check(example("lesson03_find_lr").train, 0.1)
    assert [len(run) for run in findings] == [0]


def test_4_fine_tune(example, findings):
    lesson = example("lesson04_fine_tune")
    check(lesson.pretrain)
    for way in lesson.WAYS:
        check(lesson.fine_tune, way, lesson.make_network(), seed=0)
    assert len(findings) == 5
    assert alarms(findings) == []


def test_5_reduce_on_plateau(example):
    lesson = example("lesson05_reduce_on_plateau")
    trainer, *_ = lesson.prepare()
    found = check_plan(trainer, lesson.EPOCHS, lesson.STEPS_PER_EPOCH, metrics={"loss": [1.0] * lesson.EPOCHS})
    assert alarms([found]) == []


def test_5_and_a_training_without_a_forecast(example, findings):
    check(example("lesson05_reduce_on_plateau").main)
    assert alarms(findings) == []


def test_6_decide_later(example, findings):
    lesson = example("lesson06_decide_later")
    for decay_after in lesson.DECISIONS:
        check(lesson.train, decay_after)
    assert len(findings) == len(lesson.DECISIONS)
    assert alarms(findings) == []


def test_7_stop_and_go_on(example, findings, tmp_path):
    lesson = example("lesson07_stop_and_go_on")
    run = lesson.prepare()
    lesson.save_each_epoch(run, tmp_path)
    check(run["trainer"].run, lesson.make_loader(), max_epochs=lesson.EPOCHS)
    assert [len(run) for run in findings] == [0]


def test_8_from_config(example, findings, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    lesson = example("lesson08_from_config")
    check(lesson.main)
    _, other = lesson.prepare(lesson.OTHER)
    check(other.run, lesson.make_loader(), max_epochs=lesson.EPOCHS)
    assert [len(run) for run in findings] == [0, 0]


def test_9_distributed(example, findings, tmp_path):
    options = argparse.Namespace(epochs=8, until=8, resume=False, output=tmp_path)
    check(example("lesson09_distributed").train, 0, options)
    assert len(findings) == 1
    assert alarms(findings) == []


def test_10_plain_loop(example):
    lesson = example("lesson10_plain_loop")
    optimizer = lesson.make_optimizer(lesson.make_network())
    found = check_plan(lesson.make_schedulers(optimizer), lesson.EPOCHS, lesson.STEPS)
    assert list(found) == []


def test_the_checks_would_have_found_something(example, findings, tmp_path):
    """A run that is shorter than its schedule gets a finding, so the empty findings above mean something."""
    options = argparse.Namespace(epochs=16, until=8, resume=False, output=tmp_path)
    check(example("lesson09_distributed").train, 0, options)
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
