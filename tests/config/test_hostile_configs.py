"""Configs that could break the reader, and configs that only resemble those of another library, raise an error."""

import itertools
import json
import time
from collections import UserDict, UserList
from pathlib import Path

import pytest
import torch
from cases import for_each
from optimizers import make_optimizer

from lehr.handlers import configure_scheduler
from lehr.handlers.config.python_files import Unreadable, read_python


def refused(config, **kwargs):
    """Return the error text for a config; check that the error comes soon and its text is short."""
    start = time.perf_counter()
    with pytest.raises((ValueError, TypeError)) as caught:
        configure_scheduler(make_optimizer(), config, **kwargs)
    assert time.perf_counter() - start < 10  # usually less than 2
    assert len(str(caught.value)) <= 500
    return str(caught.value)


def doubled(make, times=40):
    value = make(1)
    for _ in range(times):
        value = make(value)
    return value


class Endless(UserList):
    def __iter__(self):
        return itertools.repeat(1)


class Mapped:
    """A mapping whose method ``keys`` calls a given function."""

    def __init__(self, own, value=1):
        self.own, self.value = own, value

    def keys(self):
        return self.own()

    def __getitem__(self, key):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def _fail():
    raise RuntimeError("no keys" * 1000)


class Broken(type):
    def __getattribute__(cls, name):
        if name in ("__module__", "__qualname__"):
            raise RuntimeError(name)
        return super().__getattribute__(name)


class BrokenClass(metaclass=Broken):
    pass


HOSTILE = {
    "dicts in dicts": (lambda: doubled(lambda one: UserDict(a=one, b=one)), "at most"),
    "lists in lists": (lambda: doubled(lambda one: UserList([one, one])), "at most"),
    "endless list": (lambda: Endless(), "at most 1000000 values"),
    "endless keys": (lambda: Mapped(itertools.count), "at most 1000000 values"),
    "keys that raise": (lambda: Mapped(_fail), "no keys"),
    "values that raise": (lambda: Mapped(lambda: ["gamma"], OSError("x" * 9999)), "xxx"),
}


@for_each("name", HOSTILE)
@for_each("inner", [False, True])
def test_hostile_containers_are_refused(name, inner):
    make, message = HOSTILE[name]
    config = {"type": "torch.StepLR", "step_size": make()} if inner else make()
    text = refused(config)
    assert message in text or (name == "values that raise" and "'type' must be present" in text)


def test_a_container_that_contains_itself_is_refused():
    loop = UserDict()
    loop["a"] = loop
    assert "nested at most 50 deep" in refused(loop)


def test_a_class_that_does_not_tell_its_name_is_refused():
    assert "must be a string or a class" in refused({"type": BrokenClass})


def test_a_value_that_cannot_be_read_is_refused_only_where_it_is_needed():
    class Partial(UserDict):
        def __getitem__(self, key):
            if key == "missing":
                raise LookupError("missing is missing")
            return super().__getitem__(key)

    scheduler = {"type": "torch.StepLR", "step_size": 2}
    whole = Partial(data=Partial(missing=1), training={"lr_scheduler": scheduler})
    assert configure_scheduler(make_optimizer(), whole).config() == scheduler
    assert "missing is missing" in refused(Partial(scheduler, missing=1))


def test_large_files_are_refused_soon(tmp_path):
    chain = "a=dict(x=1)\n" + "a=dict(l=a,r=a)\n" * 40
    for name, text, message in (
        ("large.py", "x=[" + "1," * 500_000 + "]", "at most 300000 characters"),
        ("doubled.py", chain, "at most"),
        ("dots.toml", "a" + ".a" * 20_000 + "=1", "joined keys"),
        ("large.toml", "".join(f"a{at}=1\n" for at in range(100_000)), "at most 500000 characters"),
    ):
        path = tmp_path / name
        path.write_text(text)
        assert message in refused(path, root=tmp_path)


@pytest.mark.parametrize(
    ("bases", "message"),
    [
        (["own.py"], "must not lead back to its own file"),
        (["other.py"] * 9, "must not lead back to its own file"),
        (["link.py"], "must be a file below root"),
        ("/etc/passwd", "must be a file below root"),
        (["x.yaml"], "must be a .py file"),
        ("x/" * 1000, "must be the path of a file"),
        (3, "must be the path of a file, or a list"),
    ],
)
def test_bases_that_loop_or_lead_elsewhere_are_refused(bases, message, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.py").write_text("param_scheduler = dict(type='mmengine.ConstantLR', end=3)\n")
    (root / "link.py").symlink_to(tmp_path / "outside.py")
    (root / "other.py").write_text("_base_ = ['own.py', 'own.py']\n")
    (root / "own.py").write_text(f"_base_ = {bases!r}\n")
    assert message in refused(Path(root / "own.py"), root=root)


def test_a_base_that_many_files_share_is_read_once(tmp_path):
    (tmp_path / "f0.py").write_text("param_scheduler = [dict(type='mmengine.LinearLR', end=4)]\n")
    for at in range(1, 10):
        (tmp_path / f"f{at}.py").write_text(f"_base_ = {[f'f{at - 1}.py'] * 30!r}\n")
    made = configure_scheduler(make_optimizer(), tmp_path / "f9.py", root=tmp_path).config()
    assert made == {"schedulers": [{"type": "mmengine.LinearLR", "end": 4}]}


@for_each(
    "statement",
    [
        "x += 1",
        "x, y = 3, 4",
        "for x in range(3): pass",
        "if y: x = 3",
        "x['a'] = 3",
        "x[0].a = 3",
        "x.update(a=3)",
        "x[0]['a'].append(3)",
        "del x['a']",
        "with y: x = build()",
        "try:\n    x = 3\nfinally: pass",
    ],
)
def test_a_variable_that_a_statement_changes_is_not_taken_for_its_first_value(statement):
    assert isinstance(read_python(f"x = [1]\n{statement}\n")["x"], Unreadable)


def test_the_value_of_an_annotated_variable_is_read():
    assert read_python("x: int = 3\ny: int\nprint(x)\n") == {"x": 3}


TIMM = {"sched": "cosine", "epochs": 8, "lr": 1.0, "warmup_epochs": 0}
MEGATRON = {"lr_decay_style": "cosine", "lr": 1.0, "min_lr": 0.1, "train_iters": 8}
HF = {"lr_scheduler_type": "cosine", "learning_rate": 1.0, "max_steps": 8}
MMCV = {"lr_config": {"policy": "step", "step": [3]}, "total_epochs": 8}
TORCH = {"type": "torch.StepLR", "step_size": 2}
TITAN = {"model": {"flavor": "8B"}, "training": {"steps": 8}, "lr_scheduler": {"warmup_steps": 2}}
FORMS = [TIMM, MEGATRON, HF, MMCV, TITAN]


@for_each(
    ("config", "more"),
    [
        *((TIMM, one) for one in ("warmup_steps", "warmup_iters", "lr_min", "final_lr", "cycle_decay", "milestones")),
        *((MEGATRON, one) for one in ("warmup_steps", "lr_decay_rate", "max_lr", "lr_schedule", "constant_steps")),
        *((HF, one) for one in ("decay_steps", "cooldown_steps", "end_learning_rate", "decay_ratio", "min_lr")),
    ],
)
def test_a_key_about_the_schedule_is_not_left_out(config, more):
    assert f"['{more}'] is not known" in refused({**config, more: 3})


@pytest.mark.parametrize("config", [TIMM, HF, MMCV, MEGATRON])
def test_a_schedule_beside_the_flags_is_not_left_out(config):
    assert "['param_scheduler'] is not known" in refused({**config, "param_scheduler": [TORCH]})


def test_keys_of_a_section_without_a_type_are_all_read():
    section = {**TITAN["lr_scheduler"], "min_factor": 0.1}
    assert "'min_factor'] is not known" in refused({**TITAN, "lr_scheduler": section})


def test_a_config_with_the_flags_of_two_libraries_is_refused():
    text = "given 'lr_scheduler_type' and 'sched', which belong to hf.TrainingArguments and timm.create_scheduler"
    assert text in refused({**TIMM, **HF})


@pytest.mark.parametrize("config", [TIMM, MEGATRON, HF, MMCV])
@pytest.mark.parametrize("dialect", ["torch", "lehr"])
def test_flags_of_another_library_than_the_dialect_show_nothing(config, dialect):
    assert "'type' must be present" in refused(config, dialect=dialect)


@pytest.mark.parametrize("config", FORMS)
def test_the_config_of_a_scheduler_makes_the_same_scheduler(config):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5, momentum=0.9)
    scheduler = configure_scheduler(optimizer, config)
    values = scheduler.simulate(9).tolist()
    again = json.loads(json.dumps(scheduler.config()))
    assert again != config
    assert configure_scheduler(optimizer, again).simulate(9).tolist() == values
