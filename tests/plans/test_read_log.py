"""``read_log`` reads the files of many loggers: how it counts their steps, and which line its errors name."""

import json
import sys

import numpy as np
import pytest
from cases import for_each

from lehr.engine import ParamHistory
from lehr.handlers.plans import Plan, audit_log, read_log
from lehr.handlers.plans.plan import PlanColumn

LENGTH = 200
PLANNED = 0.1 * (1 + np.cos(np.pi * np.arange(300) / 250)) / 2
STEPS = np.arange(0, LENGTH, 10)


def lines(*rows):
    return "".join(f"{row}\n" for row in rows)


def objects(entries):
    return lines(*map(json.dumps, entries))


# For each logger, the name and the text of its file after a run with the planned values. Steps count from 0.
FILES = {
    "csv": ("log.csv", lines("step,loss,lr", *(f"{s},1.5,{PLANNED[s]}" for s in STEPS))),
    "csv of 6 digits": ("log.csv", lines("global_step,lr", *(f"{s},{PLANNED[s]:.6g}" for s in STEPS))),
    "csv with another delimiter": ("log.txt", lines("step;lr", *(f"{s};{PLANNED[s]}" for s in STEPS))),
    "tabs": ("log.tsv", lines("step\tlearning_rate", *(f"{s}\t{PLANNED[s]}" for s in STEPS))),
    "iterations from 1": ("log.csv", lines("iteration,train/lr", *(f"{s + 1},{PLANNED[s]}" for s in STEPS))),
    "lightning": (
        "metrics.csv",
        lines(
            "epoch,lr-SGD,lr-SGD-momentum,step,train_loss",
            *(f",{PLANNED[s]},0.9,{s},\n0,,,{s + 9},0.25" for s in STEPS),
        ),
    ),
    "tensorboard's export": (
        "run.csv",
        lines("Wall time,Step,Value", *(f"1.7e9,{s},{np.float32(PLANNED[s])}" for s in STEPS)),
    ),
    "w&b's export": (
        "wandb.csv",
        lines(
            '"Step","calm-fog-1 - lr","calm-fog-1 - lr__MIN","calm-fog-1 - lr__MAX"',
            *(f'"{s}","{PLANNED[s]}","0","1"' for s in STEPS),
        ),
    ),
    "w&b of a trainer": (
        "wandb.csv",
        lines(
            "_step,train/global_step,train/learning_rate",
            *(f"{n},{s + 1},{PLANNED[s]}" for n, s in enumerate(STEPS)),
        ),
    ),
    "json lines": ("log.jsonl", objects({"step": int(s), "lr": PLANNED[s]} for s in STEPS)),
    "lists of groups": ("log.jsonl", objects({"step": int(s), "lr": [PLANNED[s]]} for s in STEPS)),
    "mmengine": (
        "scalars.json",
        objects(
            {
                "lr": PLANNED[s],
                "data_time": 0.1,
                "loss": 1.0,
                "time": 0.2,
                "epoch": 1,
                "iter": int(s + 1),
                "memory": 100,
                "step": int(s + 1),
            }
            if s % 20
            else {"coco/bbox_mAP": 0.1, "data_time": 0.1, "step": 1}
            for s in STEPS
        ),
    ),
    "mmcv": (
        "run.log.json",
        objects(
            [
                {"env_info": "sys.platform: linux", "seed": 0},
                *(
                    {"mode": "train", "epoch": int(s // 50 + 1), "iter": int(s % 50 + 1), "lr": round(PLANNED[s], 5)}
                    for s in STEPS
                ),
                {"mode": "val", "epoch": 4, "iter": 5, "lr": 7.0},
            ]
        ),
    ),
    "trainer, this step": (
        "trainer_state.json",
        json.dumps(
            {
                "max_steps": LENGTH,
                "log_history": [
                    *(
                        {"epoch": s / 50, "learning_rate": PLANNED[s - 1], "loss": 1.0, "step": int(s)}
                        for s in STEPS[1:]
                    ),
                    {"epoch": 4.0, "eval_loss": 1.0, "step": LENGTH},
                    {"train_loss": 1.0, "step": LENGTH},
                ],
            },
            indent=2,
        ),
    ),
    "trainer, next step": (
        "trainer_state.json",
        json.dumps({"log_history": [{"learning_rate": PLANNED[s], "step": int(s)} for s in STEPS[1:]]}),
    ),
    "log_history alone": (
        "history.json",
        json.dumps([{"epoch": 0.1, "learning_rate": PLANNED[s - 1], "step": int(s)} for s in STEPS[1:]], indent=1),
    ),
}


@for_each("file", FILES)
def test_a_log_of_the_plan_is_as_planned(tmp_path, file):
    name, text = FILES[file]
    (tmp_path / name).write_text(text)
    found = audit_log(tmp_path / name, PLANNED, epoch_length=50)
    assert not found, str(found)
    assert len(found.compared[0].steps) >= 10
    assert audit_log(tmp_path / name, PLANNED * 1.001, epoch_length=50)


def test_a_shift_by_one_is_found_in_each_format_that_counts_one_way(tmp_path):
    for file, (name, text) in FILES.items():
        if file not in ("trainer, this step", "trainer, next step", "log_history alone", "w&b of a trainer"):
            (tmp_path / name).write_text(text)
            found = audit_log(tmp_path / name, np.append(0.1, PLANNED), epoch_length=50)
            assert "if it is 1 step ahead" in str(found), file


def test_epochs_as_timm_writes_them(tmp_path):
    plan = np.repeat(0.1 * 0.9 ** np.arange(12), 50)
    (tmp_path / "summary.csv").write_text(lines("epoch,train_loss,lr", *(f"{e},1,{0.1 * 0.9**e}" for e in range(12))))
    assert not audit_log(tmp_path / "summary.csv", plan, epoch_length=50)
    with pytest.raises(ValueError, match="epoch_length must be set, since summary.csv counts epochs, given none"):
        audit_log(tmp_path / "summary.csv", plan)


def test_what_lehr_writes(tmp_path):
    table = np.stack([PLANNED, 2 * PLANNED], axis=1)[:LENGTH]
    history = ParamHistory({"lr": table.tolist(), "momentum": [[0.9, 0.9]] * LENGTH})
    history.to_csv(tmp_path / "history.csv")
    plan = Plan({"lr": PlanColumn(table, ("group 0", "group 1"))}, 4, 50)
    plan.to_csv(tmp_path / "plan.csv")
    for file, headings in (("history.csv", ["lr[0]", "lr[1]"]), ("plan.csv", ["lr[0]", "lr[1]"])):
        assert list(read_log(tmp_path / file).columns) == headings
        assert not audit_log(tmp_path / file, plan)
    assert not audit_log(tmp_path / "history.csv", np.full((LENGTH, 2), 0.9), name="momentum")


@for_each(
    ("headings", "name", "column", "chosen"),
    [
        ("step,lr,learning_rate", "lr", None, ["lr", "learning_rate"]),
        ("step,lr,learning_rate", "lr", "learning_rate", ["learning_rate"]),
        ("step,LR", "lr", None, ["LR"]),
        ("step,base_lr,train/lr", "lr", None, ["train/lr"]),
        ("step,base_lr", "lr", None, ["base_lr"]),
        ("step,lr-AdamW/pg1,lr-AdamW/pg2,lr-AdamW/pg1-momentum", "lr", None, ["lr-AdamW/pg1", "lr-AdamW/pg2"]),
        ("step,Learning Rate", "lr", None, ["Learning Rate"]),
        ("step,lr_0,lr_1", "lr", None, ["lr_0", "lr_1"]),
        ("step,lr-SGD,lr-SGD-momentum", "momentum", None, ["lr-SGD-momentum"]),
        ("step,train/weight_decay,lr", "weight_decay", None, ["train/weight_decay"]),
        ("step,slr,color", "lr", "color", ["color"]),
    ],
)
def test_which_column_is_meant(tmp_path, headings, name, column, chosen):
    row = ",".join(map(str, range(1, 2 + headings.count(","))))
    (tmp_path / "log.csv").write_text(lines(headings, row))
    assert list(read_log(tmp_path / "log.csv", name=name, column=column).columns) == chosen


@for_each(
    ("text", "match"),
    [
        ("", "log must have a log, given an empty file"),
        ("step,lr\n0,0.1\n1,abc\n", "log, line 3: lr must be a number, given 'abc'"),
        ("step,lr\nx,0.1\n", "log, line 2: step must be a number, given 'x'"),
        ("step,lr\n0,0.1\n1\n", "log, line 3 must have 2 cells, as its first line has, given 1"),
        ("step,lr\n0.5,0.1\n", "the steps of lr must be whole numbers of at least 0, given 0.5"),
        ("step,lr\n-5,0.1\n", "the steps of lr must be whole numbers of at least 0, given -5.0"),
        ("step,lr\n1e300,0.1\n", "the steps of lr must be whole numbers"),
        ("step,lr\n", "log must have at least one value, given none"),
        ("time,lr\n0,0.1\n", "log must have a column such as step or iteration, given 'time', 'lr'"),
        ("step,loss\n0,0.1\n", "a heading must name 'lr', or column must be the heading of its values, given 'st"),
        ('step,lr\n0,"0.1\n', "log, line 2 is not well-formed"),
        ("step,lr\n0,\0\n", "log, line 2 must be text, given a NUL"),
        ("step,lr\n" + "1" * 1_000_001, "log, line 2 must have at most 1000000 characters, given more"),
        ('{"step": 1, "lr": 1}\n{"step": 2\n', "log, line 2 is not well-formed"),
        ('{"step": 1, "lr": 1}\n[1]\n', r"log, line 2 must be an object, given \[1\]"),
        ('{"step": 1, "lr": "x"}\n', "log, line 1: lr must be a number, given 'x'"),
        ('{"step": 1, "lr": true}\n', "log, line 1: lr must be a number, given True"),
        ('{"lr": 1}\n', "log must have a key such as step or iteration"),
        ('{"step": 1, "lr": 1}\n{"lr": 2}\n', "log, line 2: step must be a number, given None"),
        ('{"a": 1,\n "b": ]}', "log, line 2 is not well-formed"),
        ('{"a": 1,\n "b": 2}', "log must have log_history, as trainer_state.json has, or one object a line"),
        ('{"log_history": [1]}', "log, entry 0 must be an object, given 1"),
        ("[" * 100_000, "log must not be nested so deeply|log, line 1 is not well-formed"),
        ('{"mode": "train", "epoch": 1, "iter": 9, "lr": 1}\n{"mode": "train", "epoch": 2, "iter": 1, "lr": 1}\n',
         "epoch_length must be set, since log counts iterations in each epoch"),
    ],
)  # fmt: skip
def test_bad_files(tmp_path, text, match):
    (tmp_path / "log").write_text(text)
    with pytest.raises(ValueError, match=match) as error:
        audit_log(tmp_path / "log", PLANNED)
    assert len(str(error.value)) <= 500


def test_other_files(tmp_path):
    (tmp_path / "log.csv").write_bytes(b"step,lr\n0,\xff\n")
    with pytest.raises(ValueError, match="log.csv must be a text in UTF-8, or an event file of TensorBoard"):
        read_log(tmp_path / "log.csv")
    with pytest.raises(FileNotFoundError):
        read_log(tmp_path / "none.csv")


def test_steps_that_go_back_nan_and_gaps(tmp_path):
    (tmp_path / "log.csv").write_text("step,lr\n5,0.5\n\n2,0.2\n3,\n5,0.6\n4,nan\n")
    log = read_log(tmp_path / "log.csv")
    assert log.columns["lr"].steps.tolist() == [2, 4, 5]
    np.testing.assert_array_equal(log.columns["lr"].values, [0.2, np.nan, 0.6])
    assert log.notes == ("lr: step 5 is logged again with another value: the last one counts",)


def test_event_files_need_tensorboard(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing", None)
    monkeypatch.setitem(sys.modules, "tensorboard.backend", None)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    (tmp_path / "events.out.tfevents.1.host").write_bytes(b"")
    for path in (tmp_path, tmp_path / "events.out.tfevents.1.host"):
        with pytest.raises(ImportError, match=r"event files of TensorBoard need tensorboard: pip install 'lehr\[tens"):
            read_log(path)


@pytest.mark.integrations
@pytest.mark.parametrize("new_style", [False, True])
def test_event_files(tmp_path, new_style):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        for step in STEPS.tolist():
            writer.add_scalar("train/lr", PLANNED[step], step, new_style=new_style)
            writer.add_scalar("train/loss", 1.0, step, new_style=new_style)
    (file,) = tmp_path.glob("*tfevents*")
    for path in (tmp_path, file):
        found = audit_log(path, PLANNED)
        assert not found, str(found)
        assert len(found.compared[0].steps) == len(STEPS)
        assert audit_log(path, 2 * PLANNED)[0].explanations[0].endswith("the planned ones times 0.5")
    with pytest.raises(ValueError, match="column must be among 'train/loss', 'train/lr', given 'x'|given 'x'"):
        read_log(file, column="x")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="a folder must have event files of TensorBoard"):
        read_log(empty)
    (empty / "events.out.tfevents.1.host").write_bytes(b"no records")
    with pytest.raises(ValueError, match="an event file must have scalars"):
        read_log(empty)
