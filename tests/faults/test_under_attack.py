"""Hostile or careless input: refused in a few words, or harmless.

Random numbers of other threads, huge and deep values, and cells of a table.
"""

import csv
import math
import random
import re
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from cases import for_each
from click.testing import CliRunner
from ignite.engine import Engine, Events
from optimizers import make_optimizer
from registry import Sawtooth, fifth_root, rounded
from rigs import ALL

from lehr.engine import ParamHistory
from lehr.handlers import (
    ConcatScheduler,
    CosineAnnealingScheduler,
    CyclicScheduler,
    LRScheduler,
    MetricScheduler,
    ParamScheduler,
    ReduceLROnPlateauScheduler,
    ReduceOnPlateauScheduler,
    StepScheduler,
    check_plan,
    configure_scheduler,
    dry_run,
)
from lehr.handlers.cli.commands import lehr as command
from lehr.handlers.cli.simulated_values import heading_of
from lehr.handlers.config import files
from lehr.handlers.core.simulation.keep_random_state import calls_user_code
from lehr.handlers.schedules import Assignment, Constant, Mapped, Plateau

# The random state of the process.


def cosine():
    return CosineAnnealingScheduler(make_optimizer(), "lr", 0.5, 0.1, 10)


def attached(scheduler, event=Events.ITERATION_STARTED, name=None):
    trainer = Engine(lambda engine, batch: None)
    scheduler.attach(trainer, event, name)
    return trainer


def concatenated():
    one = cosine()
    return ConcatScheduler.simulate_values(9, schedulers=[one, one], durations=[4], param_names=["lr", "momentum"])


def wrapped(make):
    return LRScheduler(make(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)))


def drawing(event_index):
    random.random(), torch.rand(1), np.random.rand()  # noqa: NPY002
    return 0.1


def passed(engine, event):
    return drawing(event) > 0


WITHOUT_FUNCTIONS: dict[str, Callable[[], object]] = {
    "dry_run": lambda: dry_run(attached(cosine()), 3, 5),
    "dry_run, with a filter of ignite": lambda: dry_run(attached(cosine(), Events.ITERATION_STARTED(every=2)), 3, 5),
    "check_plan": lambda: check_plan(attached(cosine()), 3, 5),
    "check_plan, metrics": lambda: check_plan(attached(ReduceOnPlateauScheduler(make_optimizer(), "lr", "loss")), 3, 5),
    "simulate": lambda: cosine().simulate(9),
    "simulate, torch's": lambda: wrapped(lambda o: torch.optim.lr_scheduler.StepLR(o, 2)).simulate(9),
    "simulate_values, concatenation": concatenated,
}
DRAWING: dict[str, Callable[[], Callable[..., object]]] = {
    "a function": lambda: ParamScheduler(make_optimizer(), "lr", schedule=drawing).simulate,
    "in a pure schedule": lambda: CyclicScheduler(make_optimizer(), "lr", 0.1, 0.2, 4, scale_fn=drawing).simulate,
    "of values": lambda: ParamScheduler(make_optimizer(), "lr", schedule=Mapped(Constant(1.0), drawing)).simulate,
    "torch's": lambda: wrapped(lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, drawing)).simulate,
    "dry_run": lambda: partial(dry_run, attached(ParamScheduler(make_optimizer(), "lr", schedule=drawing)), 3),
    "dry_run, a filter": lambda: partial(dry_run, attached(cosine(), Events.ITERATION_STARTED(event_filter=passed)), 3),
    "check_plan": lambda: partial(check_plan, attached(ParamScheduler(make_optimizer(), "lr", schedule=drawing)), 3),
}


@for_each("name", WITHOUT_FUNCTIONS)
def test_without_a_users_function_the_random_state_is_neither_read_nor_set(name, monkeypatch):
    def refuse(*args):
        raise AssertionError("the random state was read or set")

    for owner, function in (
        (random, "getstate"),
        (random, "setstate"),
        (np.random, "get_state"),
        (np.random, "set_state"),
        (torch, "get_rng_state"),
        (torch, "set_rng_state"),
    ):
        monkeypatch.setattr(owner, function, refuse)
    WITHOUT_FUNCTIONS[name]()


@for_each("name", DRAWING)
def test_after_a_users_function_the_random_state_is_restored(name):
    simulate = DRAWING[name]()
    before = random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002
    simulate(9)
    after = random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002
    assert before == after


@for_each("name", WITHOUT_FUNCTIONS)
def test_another_threads_random_numbers_do_not_repeat(name):
    stop, drawn, simulated = threading.Event(), [], []

    def simulate():
        while not stop.is_set():
            simulated.append(WITHOUT_FUNCTIONS[name]())

    thread = threading.Thread(target=simulate)
    thread.start()
    try:
        while thread.is_alive() and (len(drawn) < 1000 or len(simulated) < 10):
            drawn.append((random.random(), np.random.rand(), torch.rand(1, dtype=torch.float64).item()))  # noqa: NPY002
    finally:
        stop.set()
        thread.join()
    assert len(simulated) >= 10
    for numbers in zip(*drawn, strict=True):
        assert len(set(numbers)) == len(numbers)


USERS = ("Lambda", "Multiplicative", "own", "function", "coupled", "lambda", "multiplicative", "scale_fn")


@for_each("name", ALL)
def test_a_scheduler_calls_a_users_function_where_one_was_given(name):
    given = any(word in name for word in USERS) or name.startswith("concatenation of concatenations")
    assert calls_user_code(ALL[name]().scheduler) == given


def test_what_a_run_leaves_in_a_scheduler_is_no_users_function():
    for scheduler in (
        ReduceOnPlateauScheduler(make_optimizer(), "lr", "loss", save_history=True),
        StepScheduler(make_optimizer(2), "lr", 3, save_history=True),
    ):
        trainer = attached(scheduler)
        trainer.state.metrics = {"loss": 1.0}
        trainer.run([None] * 3, max_epochs=1)
        assert not calls_user_code(scheduler)


def test_functions_are_found_wherever_they_are():
    assert calls_user_code(Sawtooth(1.0, 3))
    for function in (rounded, fifth_root, random.random, torch.nn.init.uniform_, np.random.rand, len):
        assert calls_user_code(ParamScheduler(make_optimizer(), "lr", schedule=function))
    chosen = StepScheduler(make_optimizer(2), "lr", 3, param_group_index=lambda group: True)
    assert calls_user_code(chosen)


# The command.


def failed(*args: str) -> str:
    """The one line on stderr with which the command ends."""
    result = CliRunner().invoke(command, [*args])
    assert result.exit_code == 2, result.output
    assert len(result.stderr) <= 501  # with the line break
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_a_file_is_replaced_only_with_force(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.json").write_text('{"type": "torch.StepLR", "step_size": 3}')
    for output, args in (
        ("lr.csv", ["simulate", "torch.StepLR", "step_size=3", "-n", "9"]),
        ("lr.png", ["plot", "torch.StepLR", "step_size=3", "-n", "9"]),
        ("diff.png", ["diff", "a.json", "a.json", "--max-epochs", "1", "--epoch-length", "9"]),
    ):
        assert CliRunner().invoke(command, [*args, "-o", output]).exit_code == 0
        Path(output).write_text("mine")
        assert f"-o must be a new file unless --force is set, given '{output}', which exists" in failed(
            *args, "-o", output
        )
        assert Path(output).read_text() == "mine"
        assert CliRunner().invoke(command, [*args, "-o", output, "--force"]).exit_code == 0
        assert Path(output).read_bytes() != b"mine"
        assert "--force" in CliRunner().invoke(command, [args[0], "--help"]).output


def test_the_command_refuses_what_would_go_wrong():
    step = ["torch.StepLR", "step_size=3", "-n", "1e8"]
    assert "--rows must be at most 100000, given 10000000" in failed("simulate", *step, "--rows", "1e7")
    assert "--initial must not have params" in failed("simulate", *step, "--initial", "params=3")
    assert "given 'xxx" in failed("simulate", "x" * 10_000)
    assert "No such command" in failed("nope" * 1000)
    assert "is not known" in failed("simulate", "torch.StepLR", f"{'k' * 10_000}=1")
    assert "not well-formed" in failed("simulate", "torch.StepLR", f"step_size={'[' * 5000}", "-n", "3")


def test_no_cell_of_a_csv_file_is_a_formula(tmp_path):
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "lr"]
    history = ParamHistory({name: [[0.1], [-0.2]] for name in formulas})
    history["=2"] = [[0.1, 0.2]]
    history.to_csv(tmp_path / "history.csv")
    with (tmp_path / "history.csv").open(newline="") as file:
        heading, *rows = csv.reader(file)
    assert heading == ["event_index", *(f"'{name}" for name in formulas[:-1]), "lr", "'=2[0]", "'=2[1]"]
    assert rows[1][1] == "-0.2"
    plan = dry_run(attached(cosine(), name="=2+3"), 1, 2)
    plan.to_csv(tmp_path / "plan.csv")
    assert (tmp_path / "plan.csv").read_text().startswith("iteration,'=2+3\n")
    assert heading_of("=1, group 0") == "'=1[0]"


# Files.


MERGED = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 8))
QUADRATIC = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}, k{n}: 1}}\n" for n in range(1, 2000))
MANY = f"a: &a {{{', '.join(f'k{n}: 1' for n in range(1000))}}}\nb: {{<<: [{', '.join(['*a'] * 20_000)}]}}\n"
LAUGHS = "a0: &a0 [1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20))
# PyYAML 6.0.4 itself copies each key once.
MERGED_ONCE = yaml.__version__ not in ("6.0", "6.0.1", "6.0.2", "6.0.3")
HOSTILE = {
    "merge keys": (MERGED, "'type' must be" if MERGED_ONCE else "merge keys must copy at most 100000 keys, given more"),
    "merge keys, one after another": (QUADRATIC, "merge keys must copy at most 100000 keys, given more"),
    "merge keys, many of one": (MANY, "merge keys must copy at most 100000 keys, given more"),
    "many values": (f"[{'1,' * 110_000}]", "a text in YAML must have at most 100000 values and keys, given more"),
    "aliases": (LAUGHS, "must have at most 1000000 values in it, given more"),
    "a list in itself": ("&a [*a]", "must be nested at most 50 deep, given more"),
    "a mapping in itself": ("&a {type: *a}", "must be nested at most 50 deep, given more"),
    "a merge of itself": ("&a {<<: *a}", "too deeply nested"),
    "deep": ("[" * 100_000, "too deeply nested"),
    "deep blocks": ("- " * 100_000, "too deeply nested"),
    "a number to the base of 60": ("step: 1" + ":1" * 100_000, "numbers must have at most 1000 digits, given more"),
    "a long number": ("step: 0x" + "f" * 100_000, "numbers must have at most 1000 digits, given more"),
    "a text": ("secret " * 100_000, "given a file with one str in it"),
    "a long key twice": (f"? {'k' * 2000}\n: 1\n? {'k' * 2000}\n: 2", "must occur once, given twice"),
    "a long alias": ("*" + "k" * 5000, "not well-formed in line 1: found undefined alias"),
    "too much": ("#" * 10_000_001, "the file must have at most 10000000 bytes, given more"),
}


def test_a_file_with_many_values_is_refused_while_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_NODES", 1000)
    (tmp_path / "plan.yaml").write_text(f"[{'1,' * 1000}]")
    with pytest.raises(ValueError, match="a text in YAML must have at most 1000 values and keys, given more"):
        configure_scheduler(make_optimizer(), tmp_path / "plan.yaml")


READ_SLOWLY = ("many values", "merge keys, one after another")


@for_each("name", [name for name in HOSTILE if name not in READ_SLOWLY])
def test_a_hostile_file_is_refused_at_once(name, tmp_path):
    refused_at_once(name, tmp_path)


@pytest.mark.proof
@for_each("name", READ_SLOWLY)
def test_a_hostile_file_that_is_read_slowly_is_refused(name, tmp_path):
    refused_at_once(name, tmp_path)


def refused_at_once(name, tmp_path):
    content, message = HOSTILE[name]
    (tmp_path / "plan.yaml").write_text(content)
    start = time.process_time()
    with pytest.raises((TypeError, ValueError), match=re.escape(message)) as raised:
        configure_scheduler(make_optimizer(), tmp_path / "plan.yaml")
    assert time.process_time() - start < 10
    assert len(str(raised.value)) <= 500
    assert "plan.yaml" in str(raised.value)


def test_a_file_of_something_else_is_not_shown(tmp_path):
    (tmp_path / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\nhunter2:x:1:1::/:/bin/sh\n")
    for suffix in ("yaml", "json"):
        (tmp_path / f"plan.{suffix}").symlink_to(tmp_path / "passwd")
        with pytest.raises((TypeError, ValueError)) as raised:
            configure_scheduler(make_optimizer(), tmp_path / f"plan.{suffix}")
        assert "hunter2" not in "".join(traceback.format_exception(raised.value))


JSON = {
    "deep lists": "[" * 100_000,
    "deep mappings": '{"a":' * 100_000,
    "a long number": "1" * 100_000,
    "a text": '"' + "x" * 100_000 + '"',
    "a long key twice": f'{{"{"k" * 5000}": 1, "{"k" * 5000}": 1}}',
}


@for_each("name", JSON)
def test_a_hostile_json_file_is_refused_at_once(name, tmp_path):
    (tmp_path / "plan.json").write_text(JSON[name])
    with pytest.raises((TypeError, ValueError), match="plan.json") as raised:
        configure_scheduler(make_optimizer(), tmp_path / "plan.json")
    assert len(str(raised.value)) <= 500


# Numbers.


METRIC_READERS: dict[str, Callable[[], Any]] = {
    "plateau": lambda: ReduceOnPlateauScheduler(make_optimizer(), "lr", "loss"),
    "ignite's": lambda: ReduceLROnPlateauScheduler(make_optimizer(), "loss"),
    "torch's": lambda: wrapped(torch.optim.lr_scheduler.ReduceLROnPlateau),
    "metric": lambda: MetricScheduler(make_optimizer(), "lr", "loss", Plateau(initial_value=0.1)),
}


@for_each("name", METRIC_READERS)
def test_a_metric_that_is_no_number_is_refused(name):
    for metric in ("0.5", b"0.5", bytearray(b"1"), 10**400, 10**5000, 1j, [0.5]):
        scheduler, engine = METRIC_READERS[name](), Engine(lambda engine, batch: None)
        engine.state.metrics = {"loss": metric}
        with pytest.raises(TypeError, match="the metric must be a number"):
            scheduler(engine), scheduler(engine)
    scheduler, engine = METRIC_READERS[name](), Engine(lambda engine, batch: None)
    engine.state.metrics = {"loss": None, "accuracy": 0.5}
    with pytest.raises(ValueError, match=r"event, \['accuracy'\], given 'loss', which is None$"):
        scheduler(engine), scheduler(engine)
    for metric in (0.5, 1, np.float32(0.5), torch.tensor(0.5), torch.tensor([0.5])):
        scheduler, engine = METRIC_READERS[name](), Engine(lambda engine, batch: None)
        engine.state.metrics = {"loss": metric}
        scheduler(engine), scheduler(engine)


@for_each(
    ("value", "error"),
    [("x", TypeError), (math.nan, ValueError), ([0.1, "a"], TypeError), ([1.0] * 3, ValueError), (None, TypeError)],
)
def test_an_error_of_min_lr_speaks_of_min_lr(value, error):
    makers = [
        lambda: ReduceLROnPlateauScheduler(make_optimizer(2), "loss", min_lr=value),
        lambda: configure_scheduler(
            make_optimizer(2), {"type": "ReduceLROnPlateauScheduler", "metric_name": "loss", "min_lr": value}
        ),
    ]
    if value is not None:  # which stands for the default there
        makers.append(
            lambda: configure_scheduler(make_optimizer(2), {"type": "torch.ReduceLROnPlateau", "min_lr": value})
        )
    for make in makers:
        with pytest.raises(error, match="min_lr") as raised:
            make()
        assert "min_value" not in str(raised.value)


def test_other_values_that_were_accepted_or_not_named():
    with pytest.raises(ValueError, match="first_factor must be finite, given nan"):
        Assignment(Constant(0.5), first_factor=math.nan)
    with pytest.raises(
        TypeError, match="min_value must be left out, since min_lr is the lower bound of this class, given 0.1"
    ):
        ReduceLROnPlateauScheduler(make_optimizer(), "loss", min_value=0.1)
    for name in ([1], {}, {1}, None, 3):
        for type_ in ("StepScheduler", "torch.StepLR"):
            entries = [{"type": type_, "step_size": 2, "param_name": name}] * 2
            with pytest.raises(TypeError, match=r"config\[0\]\['param_name'\] must be a string, given"):
                configure_scheduler(make_optimizer(), entries)
