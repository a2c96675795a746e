"""lehr diff and lehr check with files of two libraries, and with a training whose length is a number of steps."""

import json

import pytest
from click.testing import CliRunner
from commands import invoked

from lehr.handlers.cli.commands import lehr as command

WARMUP = {"warmup_min_lr": 0.0, "warmup_max_lr": 0.1, "warmup_num_steps": 4, "warmup_type": "linear"}
TRAINER = {"lr_scheduler_type": "constant_with_warmup", "learning_rate": 0.1, "warmup_steps": 4, "bf16": True}
OF_MMENGINE = [{"type": "LinearLR", "start_factor": 0.5, "end": 3, "by_epoch": False}]
# Three steps of torch's scheduler equal four events of mmengine's, whose last event is the end of the curve.
OF_TORCH = {"type": "LinearLR", "start_factor": 0.5, "total_iters": 2}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {
        "ds_config.json": {"scheduler": {"type": "WarmupLR", "params": WARMUP}, "zero_optimization": {"stage": 1}},
        "training_args.json": TRAINER,
        "fewer.json": {**TRAINER, "warmup_steps": 3},
        "mmengine.json": {"param_scheduler": OF_MMENGINE, "other": {"type": "torch.StepLR", "step_size": 2}},
        "torch.json": OF_TORCH,
        "cosine.json": {"lr_scheduler_type": "cosine", "warmup_steps": 2},
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    return tmp_path


def run(*args, code=0):
    return invoked(*args, code=code).stdout


def failed(*args):
    result = CliRunner().invoke(command, args)
    assert result.exit_code == 2, (args, result.output)
    return result.stderr


def test_two_libraries_of_one_plan_and_steps_instead_of_epochs(folder):
    # DeepSpeed writes the first value twice, so its warm-up of 4 steps is one event late.
    output = run("diff", "ds_config.json", "training_args.json", "--max-steps", "100", code=1)
    assert "lr, group 0: from iteration 2 on (0 and 0.025), at 4 of them" in output
    assert run("diff", "training_args.json", "training_args.json", "--max-steps", "100") == "no difference\n"
    output = run("diff", "training_args.json", "fewer.json", "--max-steps", "100", code=1)
    assert "from iteration 2 on (0.025 and 0.03333), at 3 of them" in output


def test_each_file_has_its_dialect_and_section(folder):
    args = ["diff", "mmengine.json", "torch.json", "--max-steps", "20"]
    output = run(*args, "--dialect", "mmengine", "--dialect", "torch", "--section", "param_scheduler", "--section", "-")
    assert output == "no difference\n"
    assert "set section= to" in failed(*args, "--dialect", "mmengine", "--dialect", "torch")
    both = ["diff", "mmengine.json", "mmengine.json", "--max-steps", "20"]
    assert run(*both, "--section", "param_scheduler", "--dialect", "mmengine") == "no difference\n"
    three = ["--dialect", "mmengine", "--dialect", "torch", "--dialect", "hf"]
    assert "--dialect must be used once for both files, or once for each, given 3 times" in failed(*args, *three)


@pytest.mark.parametrize(
    "lengths",
    [
        ["--max-steps", "20"],
        ["--max-epochs", "4", "--epoch-length", "5"],
        ["--max-epochs", "4", "--max-steps", "20"],
        ["--max-steps", "20", "--epoch-length", "5"],
        ["--max-steps", "20", "--epoch-length", "8"],
        ["--max-epochs", "4", "--epoch-length", "5", "--max-steps", "20"],
    ],
)
def test_all_options_for_the_length_give_the_same_length(folder, lengths):
    assert "for the first iteration of 20: nothing is learnt" in run("check", "cosine.json", *lengths)
    (folder / "steps.json").write_text(json.dumps({"lr_scheduler_type": "cosine", "warmup_steps": 2, "max_steps": 20}))
    assert run("diff", "cosine.json", "steps.json", *lengths) == "no difference\n"


def test_epochs_of_a_config_from_steps_and_epochs(folder):
    (folder / "own.yaml").write_text("{type: torch.StepLR, step_size: 2}\n")
    (folder / "in_steps.yaml").write_text("{type: torch.StepLR, step_size: 10}\n")
    (folder / "epochs.yaml").write_text("{type: torch.StepLR, step_size: 2, epoch_length: 5}\n")
    lengths = ["--max-epochs", "4", "--max-steps", "20"]
    assert run("diff", "in_steps.yaml", "epochs.yaml", *lengths) == "no difference\n"
    assert run("diff", "own.yaml", "epochs.yaml", *lengths, "--in-epochs") == "no difference\n"
    assert run("diff", "in_steps.yaml", "own.yaml", *lengths, "--in-epochs", code=1)


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ([], "--max-epochs and --epoch-length must be set, or --max-steps, given none"),
        (["--max-epochs", "3"], "--epoch-length must be set, or --max-steps"),
        (["--max-steps", "20", "--max-epochs", "3"], "--max-steps must be a multiple of --max-epochs, 3, given 20"),
        (
            ["--max-steps", "20", "--max-epochs", "3", "--epoch-length", "5"],
            "--max-steps must be --max-epochs, 3 times --epoch-length, 5, given 20",
        ),
        (["--max-steps", "20", "--event", "epoch"], "with --event epoch, given --max-steps alone"),
        (["--max-steps", "1e9"], "--max-steps must be at most 10000000, given 1000000000"),
        (["--max-steps", "20", "--in-epochs"], "--epoch-length must be set with --in-epochs"),
    ],
)
def test_contradictory_lengths_are_refused(folder, lengths, said):
    assert said in failed("check", "cosine.json", *lengths)
