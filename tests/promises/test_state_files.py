"""State files, broken in every way that can be thought of: all of one is loaded or nothing, and no code in it runs.

Over the tables of schedulers of ``rigs.py`` and ``registry.py``, and over ``ParamHistory``.
"""

import copy
import functools
import io
import itertools
import json
import math
import pickle
import random
import re
import warnings
import zlib
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from cases import for_each
from huge import HUGE
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from ignite.engine import Engine
from ignite.handlers import param_scheduler as ignite_schedulers
from ignite.handlers.state_param_scheduler import StepStateScheduler
from optimizers import make_optimizer, make_trainer, snapshot
from relay import _groups_of
from rigs import ALL, Rig
from torch.optim import lr_scheduler as peer

from lehr.engine import ParamHistory
from lehr.engine.history_state import values_of
from lehr.handlers import ResumeWarning
from lehr.handlers.core.saving import LATER_ENTRIES as LATER
from lehr.handlers.schedulers.torch.torch_schedule import TorchSteps
from lehr.handlers.schedules import CumulativeProduct
from lehr.handlers.schedules.stateful import stateful_parts

AT, LATER_EVENTS = 7, 5
GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "older_states.json"
# An error of ours names the rule; one that is Python's own does not tell a user what is wrong with the file.
NAMES_THE_RULE = re.compile("must|cannot|not the |not that |not plain data|there is no")
TRIED: Counter[str] = Counter()
each_kind = for_each("name", ALL)


@pytest.fixture(scope="module", autouse=True)
def tell_how_many(request):
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\nstates:", ", ".join(f"{count} {what}" for what, count in sorted(TRIED.items())))


class Endless(list[float]):
    """Metrics for any event, since a state may say that it is at any."""

    def __getitem__(self, index):
        return super().__getitem__(index % len(self))


def fresh(name: str) -> Rig:
    rig = ALL[name]()
    rig.engine.logger.disabled = True
    rig.metrics = None if rig.metrics is None else Endless(rig.metrics)
    return rig


def begun(name: str) -> Rig:
    rig = fresh(name)
    rig.fire(AT)
    return rig


@functools.cache
def saved(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The states of the scheduler and of its history."""
    rig = begun(name)
    return rig.scheduler.state_dict(), rig.engine.state.param_history.state_dict()


@functools.cache
def following(name: str) -> list[list[float]]:
    return begun(name).fire(LATER_EVENTS)


def optimizers_of(scheduler: Any) -> list[torch.optim.Optimizer]:
    held = getattr(scheduler, "optimizer", [])
    return held if isinstance(held, list) else [held]


def standing(rig: Rig) -> tuple[str, ...]:
    """All that loading might change; in words, since a NaN does not equal itself."""
    wrapped = getattr(rig.scheduler, "lr_scheduler", None)
    return (
        repr(rig.scheduler.state_dict()),
        repr(rig.scheduler),
        repr(rig.read()),
        repr([snapshot(optimizer) for optimizer in optimizers_of(rig.scheduler)]),
        repr(rig.engine.state.param_history.state_dict()),
        repr(wrapped and wrapped.state_dict()),
    )


def is_refused(thing: Any, state: Any, *policy: Any) -> bool:
    """Load it, quietly where the schedule has changed; any other warning or error is a failure."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResumeWarning)
        try:
            thing.load_state_dict(state, *policy)
        except (TypeError, ValueError) as error:
            assert NAMES_THE_RULE.search(str(error)), f"does not say what is wrong with the file: {error}"
            return True
    return False


def goes_round(name: str, state: Any, *policy: Any) -> Rig:
    """A scheduler that has loaded a state, and whose own state loads again as what it is."""
    rig, other = fresh(name), fresh(name)
    assert not is_refused(rig.scheduler, state, *policy)
    given = json.dumps(rig.scheduler.state_dict())
    assert not is_refused(other.scheduler, json.loads(given))
    assert json.dumps(other.scheduler.state_dict()) == given
    return rig


# A file that is cut off, or that is that of something else.


@each_kind
def test_a_file_that_was_cut_off_loads_nothing(name):
    file = io.BytesIO()
    torch.save(dict(zip(("scheduler", "history"), saved(name), strict=True)), file)
    whole = file.getvalue()
    for length in (0, *random.Random(name).sample(range(len(whole) - 1), 3), len(whole) - 1):
        with pytest.raises((RuntimeError, ValueError, EOFError, pickle.UnpicklingError)):
            torch.load(io.BytesIO(whole[:length]), weights_only=True)
        TRIED["cut off and refused"] += 1


def _others() -> dict[str, Any]:
    """States that users have in the same file, or in another one of the same name."""
    optimizer, model = make_optimizer(), torch.nn.Linear(1, 1)
    ignites = ignite_schedulers.LinearCyclicalScheduler(optimizer, "lr", 0.0, 1.0, 4)
    return {
        "SGD": optimizer.state_dict(),
        "Adam": torch.optim.Adam(model.parameters()).state_dict(),
        "model": model.state_dict(),
        "engine": make_trainer().state_dict(),
        "ignite's cycle": ignites.state_dict(),
        "ignite's line": ignite_schedulers.PiecewiseLinear(optimizer, "lr", [(0, 1.0), (5, 0.0)]).state_dict(),
        "ignite's concatenation": ignite_schedulers.ConcatScheduler([ignites, ignites], [4]).state_dict(),
        "ignite's groups": ignite_schedulers.ParamGroupScheduler([ignites], ["lr"]).state_dict(),
        "ignite's LRScheduler": ignite_schedulers.LRScheduler(peer.StepLR(optimizer, 3)).state_dict(),
        "ignite's state": StepStateScheduler("rate", 1.0, 0.5, 3).state_dict(),
        "StepLR": peer.StepLR(optimizer, 3).state_dict(),
        "OneCycleLR": peer.OneCycleLR(make_optimizer(), 0.3, 10).state_dict(),
        "ReduceLROnPlateau": peer.ReduceLROnPlateau(optimizer).state_dict(),
        "history": ParamHistory({"lr": [[1.0]]}).state_dict(),
    }


def _identity(state: dict[str, Any]) -> list[Any]:
    return [state.get(entry) for entry in ("scheduler", "param_name", "names")]


def _refuses_all_but_its_own(name: str, states: dict[str, Any]) -> None:
    rig = begun(name)
    before, own = repr(saved(name)[0]), _identity(saved(name)[0])
    for whose, state in states.items():
        if is_refused(rig.scheduler, state):
            TRIED["foreign and refused"] += 1
            assert repr(rig.scheduler.state_dict()) == before, whose
            continue
        TRIED["foreign, but of the same class and parameter, and loaded"] += 1
        assert _identity(state) == own, whose
        assert goes_round(name, state).scheduler.event_index == state["event_index"], whose
        rig = begun(name)
    assert rig.fire(LATER_EVENTS) == following(name)


@each_kind
def test_the_state_of_another_kind_loads_nothing(name):
    at = [*ALL].index(name)  # each state is refused by some of all, or by all below
    some = {other: saved(other)[0] for other in _kinds()[at % 27 :: 27]}
    _refuses_all_but_its_own(name, some | dict([*_others().items()][at % 3 :: 3]))


@functools.cache
def _kinds() -> list[str]:
    """A scheduler of each class and form of state."""
    return [*{str([*_identity(saved(other)[0]), *saved(other)[0]]): other for other in ALL}.values()]


@pytest.mark.proof
@each_kind
def test_the_state_of_any_other_scheduler_loads_nothing(name):
    _refuses_all_but_its_own(name, {other: saved(other)[0] for other in ALL} | _others())


def test_a_history_loads_no_other_state():
    history = ParamHistory({"lr": [[1.0]]})
    others = {whose: state for whose, state in _others().items() if whose != "history"}
    for whose, state in (others | {name: saved(name)[0] for name in ALL}).items():
        assert is_refused(history, state), whose
        assert history == {"lr": [[1.0]]}


# A file of an older version.


@each_kind
def test_a_state_without_what_was_saved_later_goes_on(name):
    state, history = saved(name)
    rig = fresh(name)
    rig.scheduler.load_state_dict({key: value for key, value in state.items() if key not in LATER})
    rig.engine.state.param_history = ParamHistory()
    older = {of: {"values": list(values_of(text)), "runs": runs} for of, text, runs, *_ in history["columns"]}
    rig.engine.state.param_history.load_state_dict(older)
    assert rig.fire(LATER_EVENTS) == following(name)
    assert {len(column) for column in rig.engine.state.param_history.values()} == {AT + LATER_EVENTS}


@for_each("name", json.loads(GOLDEN.read_text()))
def test_a_state_that_an_older_version_has_written_goes_on(name):
    """The file holds what the version before the later entries wrote after 7 events."""
    state, history = json.loads(GOLDEN.read_text())[name]
    assert not (LATER.keys() - {"metric"}) & state.keys()  # some have always had a metric
    rig = fresh(name)
    rig.scheduler.load_state_dict(state)
    rig.engine.state.param_history = ParamHistory()
    rig.engine.state.param_history.load_state_dict(history)
    rows = rig.fire(LATER_EVENTS)
    assert [pytest.approx(row, rel=1e-12) for row in following(name)] == rows
    assert {len(column) for column in rig.engine.state.param_history.values()} == {AT + LATER_EVENTS}


# A file with code in it.


class Hostile:
    """It runs ``mark`` when it is unpickled without care."""

    marks: list[str] = []  # noqa: RUF012

    def __reduce__(self):
        return mark, ("ran",)


def mark(word: str) -> str:
    Hostile.marks.append(word)
    return word


def places(tree: Any, at: tuple[Any, ...] = ()):
    """The way to the whole and to each part of it; no deeper than any state of ours is."""
    yield at
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, item in items if len(at) < 25 else ():
        yield from places(item, (*at, key))


def part_of(tree: Any, at: tuple[Any, ...]) -> Any:
    return functools.reduce(lambda inner, key: inner[key], at, tree)


def with_part(tree: Any, at: tuple[Any, ...], part: Any) -> Any:
    """A tree in which another part stands at a place; the old one is left alone."""
    if not at:
        return part
    tree = copy.copy(tree)
    tree[at[0]] = with_part(tree[at[0]], at[1:], part)
    return tree


@each_kind
def test_code_in_a_file_is_refused_and_does_not_run(name):
    for whole in saved(name):
        for at in [*places(whole)][:: max(1, len([*places(whole)]) // 3)]:
            file = io.BytesIO()
            torch.save({"state": with_part(whole, at, Hostile())}, file)
            with pytest.raises(pickle.UnpicklingError, match="mark"):
                torch.load(io.BytesIO(file.getvalue()), weights_only=True)
            TRIED["with code, and refused"] += 1
    assert Hostile.marks == []


def test_code_would_run_without_care():
    """So that the test above can fail."""
    pickle.loads(pickle.dumps(Hostile()))
    assert Hostile.marks.pop() == "ran"


@settings(max_examples=60)
@given(state=st.deferred(lambda: mutations_of(ParamHistory({"lr": [[1.0]]}).__getstate__())))
def test_a_pickled_history_is_checked_as_a_state_is(state):
    """A history may be pickled itself, and is then made from whatever stands in the file."""
    file = io.BytesIO()
    try:
        torch.save(_Pickled(state), file)
    except RecursionError:
        return  # too deep for pickle itself
    try:
        loaded = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    except (TypeError, ValueError, pickle.UnpicklingError):
        TRIED["pickled and refused"] += 1
        return
    TRIED["pickled and legal"] += 1
    assert loaded == ParamHistory() or all(isinstance(name, str) for name in loaded)
    assert loaded.state_dict() == pickle.loads(pickle.dumps(loaded)).state_dict()


class _Pickled:
    """What unpickles as a history of any state."""

    def __init__(self, state):
        self.state = state

    def __reduce__(self):
        return ParamHistory, (), self.state


# A file in which anything was changed.


class Nested:
    """Lists in lists, made only where they are used: Hypothesis could not print them. ``None`` is without end."""

    def __init__(self, depth: int | None, key: str | None = None) -> None:
        self.depth, self.key = depth, key

    def __repr__(self) -> str:
        return f"Nested({self.depth}, {self.key!r})"

    def made(self) -> Any:
        if self.depth is None:
            endless: list[Any] = []
            endless.append(endless)
            return endless
        thing: Any = 1.0
        for _ in range(self.depth):
            thing = [thing] if self.key is None else {self.key: [thing]}
        return thing


class Huge:
    """A value that Hypothesis could not print, made only where it is used."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Huge({self.name!r})"

    def made(self) -> Any:
        return HUGE[self.name]


NUMBERS = [0, 1, -1, 3, 7, 8, 2**53, 2**53 + 1, 2**63, 2**64, 10**400, -(10**400), 10**5000]
NUMBERS += [0.0, -0.0, 0.5, 7.0, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf]  # type: ignore[list-item]
OTHERS = [
    *(None, True, False, "", "x", "7", "nan", "lr", b"x", 1j, [], {}, (), {1, 2}, [[]], [0.1], [0.1, 0.2, 0.3]),
    *({"tensor": ["float32", [1.0]]}, {"tensor": ["float64", math.nan]}, {"tensor": ["int64", 10**400]}, {"list": []}),
    *({"dict": []}, {"set": [{"dict": []}]}, torch.tensor(3.0), torch.tensor([1.0, 2.0]), OrderedDict(a=1)),
    *([3, 5.0, 0.1], [3, 5.0, [0.1]], [3, 5.0, [0.1, 0.2]], [3, 5.0, [0.1, 0.2, 0.3]], [3, 5e-324, [0.1, 1e308, 0.3]]),
    *(Nested(3000), Nested(3000, "list"), Nested(None), *map(Huge, HUGE)),
]
anything = st.sampled_from(NUMBERS) | st.sampled_from(OTHERS)
anything |= st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=3)
    ),
    max_leaves=5,
)
entries = st.sampled_from(["event_index", "values", "best", "last_epoch", "step", "__class__", "optimizer", 0, 3, None])
RETYPED = {
    **{kind.__name__: kind for kind in (float, int, str, bool, list, tuple, set, OrderedDict, torch.tensor)},
    "in a list": lambda old: [old],
    "in a dictionary": lambda old: {"list": old},
    "as pairs": lambda old: list(old.items()),
    "negative": lambda old: -old,
    "one more": lambda old: old + 1,
    "huge": lambda old: old * 1e300,
    "twice": lambda old: old + old,
    "one less": lambda old: old[:-1],
    "backwards": lambda old: old[::-1],
}


@st.composite
def mutations_of(draw, state: Any) -> Any:
    """A state with one to three of its parts replaced, deleted, added, of another type, or in one another's places."""
    whole = state
    for _ in range(draw(st.sampled_from([1, 1, 2, 3]))):
        at, old = draw(_places(state))
        how = draw(st.sampled_from(["replace", "replace", "type", "type", "delete", "add", "swap", "entry"]))
        new = draw(anything)
        new = new.made() if isinstance(new, Nested | Huge) else new
        if how == "entry" and isinstance(state, dict) and state:
            at = (draw(st.sampled_from([key for key in state if key in LATER] or [*state])),)
        elif how == "swap":
            new = draw(_places(whole))[1]  # of the state as it was, or a state in itself in itself would be too deep
        elif how == "type":
            try:
                new = RETYPED[draw(st.sampled_from([*RETYPED]))](old)
            except Exception:
                new = [old]
        elif how == "add":
            at, key = (*at, draw(entries)), new
            new, at = ({**old, at[-1]: key} if isinstance(old, dict) else [old, key]), at[:-1]
        if how == "delete" and at:
            parent = copy.copy(part_of(state, at[:-1]))
            del parent[at[-1]]
            at, new = at[:-1], parent
        state = with_part(state, at, new)
    return state


def _places(state: Any) -> st.SearchStrategy[tuple[Any, Any]]:
    return st.sampled_from([(at, part_of(state, at)) for at in itertools.islice(places(state), 2000)])


def _steps_to_where_it_is(rig: Rig) -> bool:
    """Whether to be at a far event takes as long as all events up to there, as is documented of these."""
    return any(isinstance(part, TorchSteps | CumulativeProduct) for part in stateful_parts(rig.scheduler._planned))


def assert_it_goes_on(rig: Rig) -> None:
    """Resume a run with what was loaded: it runs, or it says what is wrong; and no nonsense reaches the optimizer."""
    if rig.scheduler.event_index > 10_000 and _steps_to_where_it_is(rig):
        return
    engine, events = rig.engine, []
    engine.load_state_dict({"iteration": AT, "epoch_length": 1, "max_epochs": AT + LATER_EVENTS})
    engine.state.metrics = {}
    if rig.metrics is not None:
        engine.add_event_handler(
            rig.event, lambda: engine.state.metrics.update(loss=rig.metrics[rig.scheduler.event_index])
        )
    if rig.observe is not None:
        engine.add_event_handler(rig.event, rig.observe)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResumeWarning)
        # A value of the state may be one that the optimizer must not have.
        warnings.filterwarnings("ignore", r".* but \w+ writes .* and goes on without further warnings", UserWarning)
        rig.scheduler.attach(engine, rig.event)
        engine.add_event_handler(rig.event, lambda: events.append(rig.read()))
        try:
            engine.run([0])
        except (TypeError, ValueError) as error:
            assert NAMES_THE_RULE.search(str(error)), f"does not say what is wrong: {error}"
            TRIED["hostile and legal, but an event tells of it"] += 1
        else:
            assert len(events) == LATER_EVENTS
    written = [number for row in events for number in row] + _groups_of(rig.scheduler)
    assert all(math.isfinite(number) for number in written)
    if hasattr(rig.scheduler, "dataloader"):
        assert all(type(size) is int and size > 0 for size, *_ in events)


def _loads_all_or_nothing(name: str, state: Any, policy: str | None) -> None:
    rig = begun(name)
    before = standing(rig)
    if is_refused(rig.scheduler, state, policy):
        TRIED["hostile and refused"] += 1
        assert standing(rig) == before
        assert rig.fire(LATER_EVENTS) == following(name)
    else:
        TRIED["hostile and legal"] += 1
        assert_it_goes_on(goes_round(name, state, policy))


def _try_mutations_of(name: str, number: int) -> None:
    @seed(zlib.crc32(name.encode()))  # other states for each kind
    @settings(max_examples=number, suppress_health_check=list(HealthCheck))
    @given(
        state=mutations_of(saved(name)[0]),
        policy=st.sampled_from([None, "keep_step", "keep_fraction", "keep_value"]),
    )
    def of_one_kind(state, policy):
        _loads_all_or_nothing(name, state, policy)

    of_one_kind()


@each_kind
def test_a_state_with_anything_in_it_loads_completely_or_not_at_all(name):
    _try_mutations_of(name, 1)


@pytest.mark.parametrize("name", ["configured: rules upon one another", "configured: torch in torch"])
def test_a_state_with_too_few_base_values_leaves_the_scheduler_as_it_was(name):
    rig = begun(name)
    before = standing(rig)
    state = {**rig.scheduler.state_dict(), "base_values": [0.2, 0.3]}
    assert is_refused(rig.scheduler, state)
    assert standing(rig) == before


@functools.cache
def rows():
    """How many rows of the table each class has."""
    return Counter(type(make().scheduler) for make in ALL.values())


@pytest.mark.proof
@each_kind
def test_thousands_of_states_of_each_class_load_completely_or_not_at_all(name):
    _try_mutations_of(name, 1 + 2000 // rows()[type(fresh(name).scheduler)])


def _history(max_events: int | None = None) -> ParamHistory:
    rows = [[float(event)] * 2 for event in range(9)] + [[0.5, 0.25], [0.5]]
    return ParamHistory({"lr": rows, "rate": [0.5, 0.25, 0.125]}, max_events=max_events)


def _history_loads_all_or_nothing(state: Any, max_events: int | None) -> None:
    history = ParamHistory({"lr": [[1.0, 2.0]]}, max_events=max_events)
    before = repr(history.state_dict())
    if is_refused(history, state):
        TRIED["hostile history, refused"] += 1
        assert repr(history.state_dict()) == before
        return
    TRIED["hostile history, legal"] += 1
    given = history.state_dict()
    other = ParamHistory(max_events=max_events)
    other.load_state_dict(json.loads(json.dumps(given)))
    assert repr(other.state_dict()) == repr(given)
    for name, column in history.items():
        kept = len(column)
        assert len(column[:]) == len(column.event_indices) == len(history.to_numpy(name)) == kept
        assert column.num_events >= kept
        for groups in (1, 3):
            events = column.num_events
            column.append([0.5] * groups)
            assert column.num_events == events + 1
        column.take_back(1)
        assert column.num_events == events
        assert repr(column)


@settings(suppress_health_check=list(HealthCheck), max_examples=40)
@given(state=mutations_of(_history().state_dict()), max_events=st.none() | st.just(4))
def test_a_history_with_anything_in_it_loads_completely_or_not_at_all(state, max_events):
    _history_loads_all_or_nothing(state, max_events)


@pytest.mark.proof
@settings(suppress_health_check=list(HealthCheck), max_examples=5000)
@given(state=mutations_of(_history(4).state_dict()), max_events=st.none() | st.just(4))
def test_thousands_of_histories_load_completely_or_not_at_all(state, max_events):
    _history_loads_all_or_nothing(state, max_events)


def test_an_engine_whose_run_ignite_refuses_to_resume_is_not_what_fails_above():
    """The engine state that those tests resume from is one of ignite's own."""
    engine = Engine(lambda engine, batch: None)
    engine.load_state_dict({"iteration": AT, "epoch_length": 1, "max_epochs": AT + LATER_EVENTS})
    engine.run([0])
    assert engine.state.iteration == AT + LATER_EVENTS
