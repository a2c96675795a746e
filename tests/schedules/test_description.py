"""Tests of schedules' descriptions: they are the same in every process, and equal to saved descriptions."""

import gc
import json
import os
import re
import subprocess
import sys
import weakref
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import for_each
from optimizers import make_optimizer, make_trainer
from relay import ALL
from torch_schedulers import WITHOUT_TENSORS

from lehr.handlers import LinearScheduler, ParamScheduler, configure_scheduler
from lehr.handlers.schedules import (
    Anneal,
    Concatenation,
    Constant,
    Cosine,
    Curve,
    Cyclic,
    FunctionSchedule,
    KDecay,
    LinearInterpolation,
    Mapped,
    Plateau,
    Power,
    Schedule,
)
from lehr.handlers.schedules.description_as_data import description_of, same_schedule, text_of

# The states of all examples, which the last version before 0.2 saved, and the values at the next five events.
STATES = json.loads((Path(__file__).parent.parent / "golden" / "states_0.1.json").read_text())
LEFT_OUT = [f"{kind}, 3 groups, tensor" for kind in WITHOUT_TENSORS]
RECORDED = {name: one for name, one in STATES.items() if name not in LEFT_OUT}
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.])")


def half(progress: float) -> float:
    return 1 - progress / 2


def _optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)


def _scheduler_of(name: str) -> Any:
    if name in ALL:
        return ALL[name]().scheduler
    if name == "a decay function":
        config = {"type": "timm.WSDLRScheduler", "t_initial": 100, "decay_t": 80, "decay_fn": half}
        return configure_scheduler(_optimizer(), config)
    return LinearScheduler(_optimizer(), "lr", {"handed over": 40, "shifted": 20}[name], start_value=0.1, end_value=0.0)


def _described(scheduler: Any) -> Any:
    """Return the description of a scheduler's schedule, or of its overridden ``get_param``."""
    planned = description_of(scheduler._planned)
    if not scheduler._asks_get_param:
        return planned
    return {"get_param": f"{type(scheduler).__qualname__}.get_param", "schedule": planned}


@for_each("name", RECORDED)
def test_an_example_is_the_same_schedule_as_the_recorded_text_and_as_saved_data(name):
    saved, own = RECORDED[name]["state"]["schedule"], _described(_scheduler_of(name))
    assert same_schedule(saved, own)
    assert same_schedule(saved, text_of(own))
    assert same_schedule(json.loads(json.dumps(own)), own)
    assert same_schedule(text_of(own), own)


@for_each("name", RECORDED)
def test_a_recorded_text_with_another_number_is_another_schedule(name):
    saved, own = RECORDED[name]["state"]["schedule"], _described(_scheduler_of(name))
    numbers = [match for match in NUMBER.finditer(saved) if "0x" not in saved[match.start() - 2 : match.end()]]
    for match in numbers:
        changed = f"{saved[: match.start()]}{float(match[0]) + 1}{saved[match.end() :]}"
        assert not same_schedule(changed, own), changed


@for_each("name", RECORDED)
def test_saved_data_with_another_value_is_another_schedule(name):
    own = _described(_scheduler_of(name))
    text = json.dumps(own)
    for match in NUMBER.finditer(text):
        changed = json.loads(f"{text[: match.start()]}{float(match[0]) + 1}{text[match.end() :]}")
        assert not same_schedule(changed, own), changed


@pytest.mark.parametrize("kept", [9, pytest.param(1, marks=pytest.mark.proof)])
def test_two_schedules_of_the_examples_are_the_same_only_if_their_texts_are(kept):
    all_own = [_described(_scheduler_of(name)) for name in RECORDED]
    texts = [text_of(own) for own in all_own]
    for at, (own, text) in enumerate(zip(all_own, texts, strict=True)):
        for other, other_text in list(zip(all_own, texts, strict=True))[at % kept :: kept]:
            assert same_schedule(other, own) == (text == other_text)


@for_each("name", [name for name in ALL if name in RECORDED])
def test_a_description_is_plain_data_without_addresses(name):
    text = json.dumps(_described(_scheduler_of(name)), allow_nan=False)
    assert "0x" not in text
    assert not re.search(r"\b(registry|rigs|lehr)\.", text)


IN_ANOTHER_PROCESS = """
import json
from dataclasses import dataclass
from functools import partial
from lehr.handlers.schedules import Anneal, Curve, FunctionSchedule
from lehr.handlers.schedules.description_as_data import description_of

def half(value):
    return value / 2

class Decay:
    def __init__(self, rate):
        self.rate, self.itself, self.names = rate, self, {"b", "a", "c"}
    def __call__(self, index):
        return self.rate**index
    def at(self, index):
        return self(index)

@dataclass(frozen=True)
class Custom(Curve):
    function: object
    def __call__(self, progress):
        return progress

things = half, partial(half, 1, key=Decay(0.5)), Decay(0.5).at, Decay(0.5), lambda index: 0.1, [0.1].__getitem__
curves = [Anneal(0.1, 0.0, 10, Custom(thing)) for thing in things]
print(json.dumps(description_of([*curves, *map(FunctionSchedule, things)])))
"""


def test_a_description_is_the_same_in_every_process():
    outputs = {
        subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    (output,) = outputs
    names = {"type": "Decay"}
    assert [one["curve"]["function"] for one in json.loads(output)[:6]] == [
        {"function": "half"},
        {"type": "partial", "function": {"function": "half"}, "args": [1], "keywords": {"key": names}},
        {"function": "Decay.at"},
        names,
        {"function": "<lambda>"},
        {"function": "list.__getitem__"},
    ]


class Mode(Enum):
    FAST = 1


class Unreadable:
    def __repr__(self):
        return "every other day"


@dataclass(frozen=True)
class Own(Schedule):
    type: str = "own"
    table: object = None
    seen: list = field(default_factory=list, compare=False)

    def values(self, indices):
        return indices


@for_each(
    ("value", "description", "text"),
    [
        (np.float32(0.5), 0.5, "0.5"),
        (np.bool_(True), True, "True"),
        (np.arange(3), [0, 1, 2], "(0, 1, 2)"),
        ((None, "a"), [None, "a"], "(None, 'a')"),
        ([1], [1], "(1,)"),
        ({2: 1.0}, {"dict": {"2": 1.0}}, "{2: 1.0}"),
        ({"b", "a"}, {"set": ["a", "b"]}, "{'a', 'b'}"),
        (np.sqrt, {"function": "sqrt"}, "sqrt"),
        (Mode.FAST, {"repr": "<Mode.FAST: 1>"}, "<Mode.FAST: 1>"),
        (Own(table=max), {"type": "Own", "type_": "own", "table": {"function": "max"}}, None),
        (
            KDecay(Cosine(), 2),
            {"type": "KDecay", "curve": {"type": "Cosine"}, "k": 2.0},
            "KDecay(curve=Cosine(), k=2.0)",
        ),
        (partial(max, key=abs), None, "partial(max, key=abs)"),
        (object(), {"type": "object"}, "object()"),
    ],
)
def test_values_are_described_as_data_and_shown_as_text(value, description, text):
    described = description_of(value)
    assert description is None or (described == description and type(described) is type(description))
    assert text is None or text_of(described) == text


def test_an_overridden_get_param_is_described_with_its_schedule():
    own = {"get_param": "Mine.get_param", "schedule": description_of(Constant(0.1))}
    assert text_of(own) == "Mine.get_param over Constant(value=0.1)"
    assert text_of({**own, "schedule": None}) == "Mine.get_param"
    assert same_schedule("Mine.get_param over Constant(value=0.1)", own)
    assert not same_schedule("Mine.get_param over Constant(value=0.2)", own)
    assert not same_schedule("Mine.get_param", own)


@for_each(
    ("saved", "own"),
    [
        ("FunctionSchedule(function=registry.half)", FunctionSchedule(half)),
        ("FunctionSchedule(function=builtins.len)", FunctionSchedule(len)),
        ("FunctionSchedule(function=<function half at 0x7f6b1dee1940>)", FunctionSchedule(half)),
        (
            "FunctionSchedule(function=functools.partial(<function half at 0x7f6>, 1))",
            FunctionSchedule(partial(half, 1)),
        ),
        ("rigs.f.<locals>.<lambda>", {"function": "f.<locals>.<lambda>"}),
        (
            "Own(type='own', table={'a': <ufunc 'sqrt'>, 'b': <Mode.FAST: 1>})",
            Own(table={"a": np.sqrt, "b": Mode.FAST}),
        ),
        ("Own(type='own', table=[<Mode.FAST: 1>])", Own(table=[Mode.FAST])),
        ("Own(type='own', table=[-1, 1e-08, inf])", Own(table=(-1.0, 1e-8, np.inf))),
        ("Own(type='own', table=every other day)", Own(table=Unreadable())),
        ("Own(type='own', table=array([0.25, 0.5], dtype=float32))", Own(table=np.float32([0.25, 0.5]))),
        ("Own()", Own()),
        ("Anneal(start_value=1, end_value=0.0, duration=2)", Anneal(1.0, 0.0, 2)),
        ({"type": "Anneal", "start_value": 1, "end_value": 0.0, "duration": 2}, Anneal(1.0, 0.0, 2)),
        ({"type": "Plateau"}, Plateau()),
    ],
    ids=lambda value: str(value).split(" at 0x")[0][:60],
)
def test_the_same_schedule(saved, own):
    assert same_schedule(saved, own if isinstance(own, dict) else description_of(own))


@for_each(
    ("saved", "own"),
    [
        ("FunctionSchedule(function=registry.half)", FunctionSchedule(abs)),
        ("FunctionSchedule(function='half')", FunctionSchedule(half)),
        ("registry.Other.half", {"function": "Mine.half"}),
        ("Constant(value=1.1)", Constant(1.0)),
        ("Constant(value=0.1)", Constant(1.0)),
        ("Constant(value=True)", Constant(1.0)),
        ("Anneal(start_value=1.0, end_value=0.0, duration=2.0)", Anneal(1.0, 0.0, 2, Cosine())),
        ("Anneal(start_value=1.0, end_value=0.0, duration=2.0)", Anneal(1.0, 0.0, 2, beyond="mirror")),
        ("Constant(value=1.0, added_later=2)", Constant(1.0)),
        ("LinearInterpolation(milestones_values=((0, 0.0), (4, 0.5)))", LinearInterpolation([(0, 0.0), (5, 0.5)])),
        ("Mapped(schedule=Constant(value=1.0), function=max)", Mapped(Constant(1.0), min)),
        ("Own(type='other')", Own()),
        ("Own(type='own', table=[<Mode.SLOW: 1>])", Own(table=[Mode.FAST])),
        ({"type": "Constant"}, Constant(1.0)),
        ({"type": "Power", "power": True}, Power(1.0)),
        ({"type": ["Constant"], "value": 1.0}, Constant(1.0)),
        (["Constant"], Constant(1.0)),
        (None, Constant(1.0)),
        ("", Constant(1.0)),
        ("(" * 10_000, Constant(1.0)),
    ],
    ids=lambda value: str(value).split(" at 0x")[0][:60],
)
def test_another_schedule(saved, own):
    assert not same_schedule(saved, own if isinstance(own, dict) else description_of(own))


def test_attributes_of_a_torch_scheduler_that_only_one_version_has_are_not_compared():
    own = {"type": "TorchSteps", "configuration": "StepLR(step_size=3, gamma=0.1, base_lrs=[0.1])"}
    assert text_of(own) == own["configuration"]
    later = {"type": "TorchSteps", "configuration": "StepLR(step_size=3, gamma=0.1, base_lrs=[0.1], verbose=False)"}
    assert same_schedule(later, own)
    assert same_schedule("StepLR(step_size=3, gamma=0.1, base_lrs=[0.1])", own)
    assert not same_schedule("StepLR(step_size=4, gamma=0.1, base_lrs=[0.1])", own)
    assert not same_schedule("ExponentialLR(gamma=0.1, base_lrs=[0.1])", own)


def test_a_curve_of_a_user_with_a_function_does_not_show_its_address():
    @dataclass(frozen=True)
    class Custom(Curve):
        function: object

        def __call__(self, progress):
            return progress

    schedule = Concatenation([Anneal(1.0, 0.0, 5, Custom(half)), Cyclic(0, 1, 2, scale_fn=abs)], [5])
    assert "function=half)" in text_of(description_of(schedule))
    assert "scale_fn=abs" in text_of(description_of(schedule))


@for_each("saved", [{"dict": 3}, {"set": None}])
def test_what_describes_no_schedule_is_refused(saved):
    scheduler = LinearScheduler(_optimizer(), "lr", 4, start_value=0.0, end_value=1.0)
    before = scheduler.state_dict()
    with pytest.raises(ValueError, match=r"state_dict\['schedule'\] must be the description of a schedule, given {"):
        scheduler.load_state_dict({**before, "schedule": saved})
    assert scheduler.state_dict() == before


def test_no_cache_keeps_a_local_class_and_what_its_methods_refer_to():
    def held_by_a_local_class():
        optimizer = make_optimizer()

        @dataclass(frozen=True)
        class Own(Schedule):
            high: float

            def values(self, indices):
                return np.full(len(indices), self.high * len(optimizer.param_groups))

        scheduler = ParamScheduler(optimizer, "lr", schedule=Own(0.5))
        scheduler.attach(make_trainer())
        scheduler(None)
        scheduler.load_state_dict(scheduler.state_dict())
        return weakref.ref(optimizer)

    reference = held_by_a_local_class()
    gc.collect()
    assert reference() is None
