"""The commands lehr list, lehr simulate and lehr plot, and the help."""

import csv
import io
import json
import re
import shlex
import sys

import numpy as np
import pytest
import torch
import yaml
from cases import for_each
from click.testing import CliRunner
from commands import invoked as run
from PIL import Image

from lehr.engine import configure_optimizer
from lehr.handlers import ReduceOnPlateauScheduler, configure_scheduler
from lehr.handlers.cli import simulated_values
from lehr.handlers.cli.commands import lehr as command
from lehr.handlers.config.catalogue import OPTIONS, known_types

ALL = [one for some in known_types().values() for one in some]


def optimizer(groups=1, name="SGD", **options):
    params = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)]
    return configure_optimizer(name, params, **{"lr": 0.1, **options})


def read(text):
    header, *rows = csv.reader(io.StringIO(text))
    return header, np.array([[float(cell) for cell in row] for row in rows])


# The list of types.


def test_list_has_every_type_with_its_description_and_arguments():
    lines = [line.strip() for line in run("list").output.splitlines()]
    assert len(ALL) > 150
    for one in ALL:
        at = lines.index(one.name)
        assert one.description.split()[0] in lines[at + 1], one.name
        entry = " ".join(lines[at : at + 15])
        for argument in one.arguments:
            assert re.search(rf"\b{argument.name}{'(?![=])' if argument.required else '='}", entry), (one, argument)


@pytest.mark.parametrize("columns", [80, 120])
def test_list_fits_a_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    longest = max(map(len, run("list").output.splitlines()))
    assert columns - 25 <= longest <= columns


def test_list_takes_a_part_of_a_name_or_description():
    names = re.findall(r"^  (\S+)$", run("list", "StepLR").output, re.MULTILINE)
    assert {"torch.StepLR", "timm.MultiStepLRScheduler", "cerebras.StepLR"} <= set(names)
    assert all("StepLR" in name for name in names)
    assert "WarmupStableDecayScheduler" in run("list", "a stable phase, and a decay").output
    assert run("list", "TORCH.STEPLR").output.count("\n\n") == 2


@for_each("one", ALL, ids=lambda one: one.name)
def test_a_config_takes_the_listed_arguments(one):
    def error(**given):
        with pytest.raises((TypeError, ValueError)) as raised:
            configure_scheduler(optimizer(), {"type": one.name, **given})
        return str(raised.value)

    for argument in one.arguments:
        assert "is not known" not in error(**{argument.name: {1}}), argument
    if one.name == "transformers.get_scheduler":
        return
    refused = error(no_such_argument=1)
    assert "config['no_such_argument'] is not known" in refused
    known = set(re.findall(r"'(\w+)'", refused.partition("(known: ")[2]))
    passed_over = {
        "last_epoch",
        "last_step",
        "optimizer",
        "param_name",
        "save_history",
        "trainer",
        "verbose",
        "initialize",
    }
    assert known - {argument.name for argument in one.arguments} <= passed_over
    required = {argument.name for argument in one.arguments if argument.required}
    if required and not one.python_only:
        assert required <= set(re.findall(r"'(\w+)'", error().partition(" must be given")[0]))


def test_listed_defaults_are_the_defaults():
    compared = 0
    for one in ALL:
        if not any(argument.required for argument in one.arguments):
            listed = {argument.name: argument.default for argument in one.arguments if argument.default is not None}
            try:
                short = configure_scheduler(optimizer(momentum=0.9), {"type": one.name}, max_epochs=30).simulate(30)
            except (TypeError, ValueError):
                continue  # this type needs one of several arguments, all of which have defaults
            config = {"type": one.name, **listed}
            full = configure_scheduler(optimizer(momentum=0.9), config, max_epochs=30).simulate(30)
            assert np.array_equal(short, full), one.name
            compared += 1
    assert compared > 20
    decay = {"type": "CosineDecayScheduler", "duration": 20}
    assert np.array_equal(
        configure_scheduler(optimizer(), decay).simulate(30),
        configure_scheduler(optimizer(), {**decay, **OPTIONS}).simulate(30),
    )


# Simulated numbers.

CONFIGS = [
    ["OneCycleScheduler", "max_value=0.1", "total_steps=300"],
    ["torch.StepLR", "step_size=30", "gamma=0.7"],
    ["transformers.cosine", "num_warmup_steps=10", "num_training_steps=200"],
    ["torch.OneCycleLR", "max_lr=0.3", "total_steps=200"],
    ["torch.ReduceLROnPlateau"],
    ["ParamScheduler", "schedule={type: Anneal, start_value: 1e-3, end_value: 0.3, duration: 77, curve: {type: Rex}}"],
    ["ExpStateScheduler", "initial_value=1", "gamma=0.99", "param_name=dropout"],
    ["mmengine.MultiStepLR", "milestones=[30,60]", "gamma=0.3"],
]


@for_each("groups", [1, 3])
@for_each("args", CONFIGS, ids=lambda args: args[0])
def test_csv_has_the_simulated_numbers_to_the_last_bit(args, groups, monkeypatch):
    monkeypatch.setattr(simulated_values, "CHUNK", 64)
    printed = run("simulate", *args, "-n", "250", "--groups", str(groups), "--initial", "momentum=0.9", "--csv").stdout
    config = {"type": args[0]}
    for text in args[1:]:
        key, _, value = text.partition("=")
        config[key] = yaml.safe_load(value.replace("1e-3", "0.001"))
    expected = configure_scheduler(optimizer(groups, momentum=0.9), config).simulate(250)
    header, table = read(printed)
    assert table[:, 0].tolist() == list(range(250))
    assert np.array_equal(table[:, 1:], expected)
    assert header[0] == "event_index"
    if args[0] == "torch.StepLR":
        assert header[1:] == (["lr"] if groups == 1 else ["lr[0]", "lr[1]", "lr[2]"])


def test_a_file_with_several_parameters(repository, tmp_path):
    path, output = str(repository / "examples" / "lesson08_from_config.yaml"), tmp_path / "plan.csv"
    options = ["--initial", "momentum=0.9", "--in-epochs", "--epoch-length", "22"]
    run("simulate", path, "-n", "176", *options, "-o", str(output))
    header, table = read(output.read_text())
    assert header == ["event_index", "lr", "momentum", "weight_decay"]
    scheduler = configure_scheduler(optimizer(momentum=0.9), path, epoch_length=22)
    assert np.array_equal(table[:, 1:], scheduler.simulate(176))


def test_initial_values_of_groups_and_optimizers():
    step = ["simulate", "torch.StepLR", "step_size=2", "-n", "4", "--csv"]
    _, table = read(run(*step, "--groups", "2", "--initial", "lr=[1,0.5]").stdout)
    assert table[:, 1:].tolist() == [[1, 0.5], [1, 0.5], [0.1, 0.05], [0.1, 0.05]]
    header, table = read(
        run(*step, "--optimizer", "adam", "--param-name", "betas[0]", "--initial", "betas=[0.8,0.9]").stdout
    )
    assert header == ["event_index", "betas[0]"]
    assert (
        table[:, 1].tolist()
        == configure_scheduler(
            optimizer(name="Adam", betas=(0.8, 0.9)), {"type": "torch.StepLR", "step_size": 2}, param_name="betas[0]"
        )
        .simulate(4)[:, 0]
        .tolist()
    )


def test_as_many_events_as_the_schedule_lasts():
    assert len(run("simulate", "OneCycleScheduler", "max_value=1", "total_steps=70", "--csv").stdout.splitlines()) == 71


def test_the_table_shows_some_events_evenly_spaced():
    args = ["simulate", "LinearScheduler", "duration=100", "start_value=1", "end_value=0", "-n", "101"]
    lines = run(*args, "--rows", "3").output.splitlines()
    assert [line.split() for line in lines[:4]] == [["event", "lr"], ["0", "1"], ["50", "0.5"], ["100", "0"]]
    assert lines[4:] == ["(3 of 101 events; --rows shows more, --csv all)"]
    assert len(run(*args, "--rows", "1000").output.splitlines()) == 102


def test_metrics_have_the_same_effect_as_in_training():
    metrics = [3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0]
    given = ",".join(map(str, metrics))
    plateau = ["ReduceOnPlateauScheduler", "metric_name=loss", "patience=1", "factor=0.5"]
    _, table = read(run("simulate", *plateau, "--metrics", given, "--csv").stdout)
    scheduler = ReduceOnPlateauScheduler(optimizer(), "lr", "loss", patience=1, factor=0.5)
    assert np.array_equal(table[:, 1:], scheduler.simulate(8, metric_values=metrics))
    assert table[-1, 1] == 0.025

    # Events after the last metric read it again. With epochs, the first event of an epoch reads the metric of the epoch
    # before.
    result = run(
        "simulate", "torch.ReduceLROnPlateau", "patience=0", "factor=0.5", "-n", "5", "--metrics", "1", "--csv"
    )
    assert read(result.stdout)[1][:, 1].tolist() == [0.1, 0.05, 0.025, 0.0125, 0.00625]
    assert result.stderr == ""
    ignoring = ["metric_name=loss", "nan_policy=ignore", "patience=0", "-n", "6", "--metrics", "3,.nan", "--csv"]
    assert read(run("simulate", "ReduceOnPlateauScheduler", *ignoring).stdout)[1][:, 1].tolist() == [0.1] * 6
    epochs = ["--in-epochs", "--epoch-length", "2", "--csv", "--metrics"]
    for given, last in (("1,1,1", 0.05), ("3,1,1", 0.1)):
        result = run("simulate", "torch.ReduceLROnPlateau", "patience=0", "factor=0.5", *epochs, given)
        assert read(result.stdout)[1][:, 1].tolist() == [0.1, 0.1, 0.1, 0.1, last, last]


@pytest.mark.parametrize("name", ["torch.ReduceLROnPlateau", "transformers.greedy", "timm.PlateauLRScheduler"])
@pytest.mark.parametrize("verb", ["simulate", "plot"])
def test_without_metrics_a_message_says_that_none_arrive(name, verb):
    result = run(verb, name, "-n", "4")
    assert result.stderr == ("lehr: the values assume that no metric arrives: --metrics 3,2,2,1 simulates metrics\n")
    assert run(verb, "torch.StepLR", "step_size=3", "-n", "4").stderr == ""


# Pictures.


@pytest.mark.parametrize("groups", [1, pytest.param(2, marks=pytest.mark.proof)])
def test_files_are_pictures(tmp_path, groups):
    args = ["plot", "torch.OneCycleLR", "max_lr=0.1", "total_steps=50", "--initial", "momentum=0.9"]
    for ending in ("png", "PNG", "svg", "pdf") if groups == 1 else ("png",):
        path = tmp_path / f"plan.{ending}"
        result = run(*args, "--groups", str(groups), "-o", str(path))
        assert (result.stdout, result.stderr) == (f"wrote {path}\n", "")
    with Image.open(tmp_path / "plan.png") as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 300
        assert len(image.convert("RGB").getcolors(10_000)) > 10
    if groups == 1:
        assert "<svg" in (tmp_path / "plan.svg").read_text()[:1000]
        assert (tmp_path / "plan.pdf").read_bytes().startswith(b"%PDF-")


def marks(output):
    """Return the columns that have a mark, for each row of a picture in the terminal."""
    rows = [line.split("│")[1] for line in output.splitlines() if line.startswith("│")]
    return [[at for at, character in enumerate(row) if character != " "] for row in rows]


def test_the_terminal_shows_the_shape():
    falling = run("plot", "LinearScheduler", "duration=100", "start_value=1", "end_value=0", "-n", "101").output
    rows = marks(falling)
    assert len(rows) == 12
    assert [min(row) for row in rows] == sorted(min(row) for row in rows)
    assert min(rows[0]) == 0
    assert max(rows[-1]) > 50
    assert "lr: 0 to 1" in falling
    assert "\x1b" not in falling
    rising = marks(run("plot", "LinearScheduler", "duration=100", "start_value=0", "end_value=1", "-n", "101").output)
    assert [min(row) for row in rising] == sorted((min(row) for row in rising), reverse=True)


def test_the_terminal_shows_each_parameter_and_groups_that_differ(monkeypatch):
    args = ["plot", "torch.OneCycleLR", "max_lr=0.1", "total_steps=50", "--groups", "2"]
    output = run(*args).output
    assert re.findall(r"(\S[^:\n]*): \S+ to ", output) == ["lr", "momentum"]
    output = run("plot", "torch.StepLR", "step_size=3", "-n", "9", "--groups", "2", "--initial", "lr=[1,0.5]").output
    assert re.findall(r"(\S+): \S+ to ", output) == ["lr[0]", "lr[1]"]
    output = run("plot", "torch.StepLR", "step_size=3", "-n", "9", "--groups", "2").output
    assert re.findall(r"(\S.*): \S+ to ", output) == ["lr[0], lr[1]"]
    for columns in (50, 80, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert max(map(len, run("plot", "ConstantScheduler", "value=0.5", "-n", "9").output.splitlines())) <= columns


def test_a_picture_of_many_events_has_their_extremes(monkeypatch):
    spike = "milestones_values=[[0,0],[49999,0],[50000,1],[50001,0]]"
    monkeypatch.setattr(simulated_values, "CHUNK", 1024)
    assert "lr: 0 to 1" in run("plot", "PiecewiseLinear", spike, "-n", "100000").output


# Help.


@pytest.mark.parametrize("verb", ["list", "show", "plot", "simulate", "check", "diff", "convert"])
def test_the_examples_of_the_help_work_when_pasted(verb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [line.strip() for line in run(verb, "--help").output.splitlines()]
    examples = [line for line in lines if line.startswith((f"lehr {verb}", "echo "))]
    assert sum(line.startswith("lehr") for line in examples) >= 2
    for line in examples:
        words = shlex.split(line)
        if words[0] == "echo":
            assert words[-2] == ">"
            (tmp_path / words[-1]).write_text(words[1] + "\n")
        else:
            result = CliRunner().invoke(command, words[1:])
            assert result.exit_code == (1 if verb == "diff" else 0), (line, result.output)
            assert result.output


def test_the_overview_and_the_version():
    import importlib.metadata

    overview = run("--help").output
    assert run().output == overview
    assert all(re.search(rf"^  {verb} ", overview, re.M) for verb in ("list", "plot", "simulate", "check", "diff"))
    assert run("--version").output == f"lehr {importlib.metadata.version('lehr')}\n"
    for line in re.findall(r"^ +lehr (.*\S)$", overview, re.M):
        if "[OPTIONS]" not in line:
            run(*shlex.split(line))


def test_values_without_pyyaml(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    args = ["simulate", "PiecewiseConstantScheduler", "constants=[0.1,1e-3]", "milestones=[2]", "-n", "4", "--csv"]
    assert read(run(*args).stdout)[1][:, 1].tolist() == [0.1, 0.1, 0.001, 0.001]
    run("simulate", "OneCycleScheduler", "max_value=1", "total_steps=9", "anneal_strategy=linear")
    result = run("simulate", "PiecewiseConstantScheduler", "constants=[0.1", code=2)
    assert result.stderr == "lehr: constants must be a value as in YAML, given '[0.1', which is not well-formed\n"


def test_arguments_without_an_effect_are_listed_too():
    listed = {one.name: {argument.name for argument in one.arguments} for one in ALL}
    assert listed["transformers.constant"] == {"num_warmup_steps", "num_training_steps"}
    assert listed["transformers.get_constant_schedule"] == set()


def test_the_run_the_dialect_and_the_section_of_a_file(tmp_path):
    entries = [{"type": "LinearLR", "start_factor": 0.5, "end": 2}, {"type": "CosineAnnealingLR", "begin": 2}]
    path = tmp_path / "training.json"
    path.write_text(json.dumps({"generator": entries, "critic": [{**entries[0], "type": "ConstantLR", "factor": 0.5}]}))
    plan = [str(path), "--dialect", "mmengine", "--section", "generator"]
    values = configure_scheduler(optimizer(), entries, dialect="mmengine", max_epochs=6).simulate(6)[:, 0]
    table = run("simulate", *plan, "--max-epochs", "6", "-n", "6", "--csv").output.splitlines()[1:]
    assert [float(row.partition(",")[2]) for row in table] == values.tolist()
    assert "['end'] must be given, in epochs" in run("simulate", *plan, "-n", "6", code=2).output
    checked = [*plan, "--max-epochs", "3", "--epoch-length", "2"]
    assert "max_epochs" not in run("check", *checked, "--in-epochs").output
    assert "['end'] must be given, in epochs" in run("check", *checked, code=2).output
