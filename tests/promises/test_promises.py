"""The promises that hold for every scheduler, each over the whole table of example configurations."""

import copy
import json
import pickle
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import for_each
from ignite.engine import Events
from optimizers import make_optimizer, make_trainer, snapshot, values_of
from registry import CASE_IDS, CASES, CountingScheduler, HalvedCosine, formula

from lehr.handlers import OneCycleScheduler, ParamScheduler
from lehr.handlers.core import schedule_reading
from lehr.handlers.schedules import LiveSchedule

each_case = for_each(("example", "groups"), CASES, CASE_IDS)


# 1. The i-th event trains with schedule(i); constructors write nothing and leave nothing behind.


@each_case
def test_making_a_scheduler_writes_nothing(example, groups):
    optimizer = make_optimizer(groups)
    before = snapshot(optimizer)
    scheduler = example(optimizer)
    scheduler.simulate(3)
    scheduler.get_param()
    assert snapshot(optimizer) == before


@each_case
def test_event_i_writes_the_schedule_of_i_and_nothing_else(example, groups):
    optimizer = make_optimizer(groups)
    before = snapshot(optimizer)
    scheduler = example(optimizer)
    expected = formula(example(make_optimizer(groups)))
    for event in range(60):
        assert scheduler.event_index == event
        values = expected(event)
        assert np.broadcast_to(scheduler.get_param(), groups).tolist() == values
        scheduler(None)
        assert values_of(optimizer) == values
    for group, old in zip(snapshot(optimizer), before, strict=True):
        assert {**group, "lr": old["lr"]} == old


@each_case
def test_only_the_chosen_group_is_written(example, groups):
    if example.per_group and example.cls is not CountingScheduler:
        with pytest.raises(ValueError, match="must have (values for 1 param groups|1 values)"):
            example(make_optimizer(3), param_group_index=1)
        return
    for index in (1, -2):
        optimizer = make_optimizer(3)
        scheduler = example(optimizer, param_group_index=index)
        scheduler.seek(7)
        expected = formula(scheduler)(7)
        scheduler(None)
        assert values_of(optimizer) == [0.5, *expected, 2.5]


# 2. What is simulated is what is trained, bit for bit.

FILTERS = {
    "every iteration": Events.ITERATION_STARTED,
    "every=2": Events.ITERATION_STARTED(every=2),
    "once=5": Events.ITERATION_STARTED(once=5),
    "every epoch": Events.EPOCH_STARTED,
    "two kinds": Events.EPOCH_STARTED | Events.ITERATION_COMPLETED(every=3),
    "own filter": Events.ITERATION_STARTED(event_filter=lambda engine, event: event % 5 in (1, 2)),
}


@each_case
@pytest.mark.parametrize(
    "event",
    [
        pytest.param(event, id=name, marks=[] if name in ("every iteration", "two kinds") else pytest.mark.proof)
        for name, event in FILTERS.items()
    ],
)
def test_a_run_records_what_was_simulated(example, groups, event):
    optimizer = make_optimizer(groups)
    trainer = make_trainer()
    scheduler = example(optimizer, save_history=True)
    scheduler.attach(trainer, event)
    written = []
    if event is Events.ITERATION_STARTED:
        trainer.add_event_handler(event, lambda: written.append(values_of(optimizer)))
    trainer.run(range(12), max_epochs=4)
    recorded = trainer.state.param_history["lr"]
    simulated = example(make_optimizer(groups)).simulate(len(recorded))
    assert len(recorded) == scheduler.event_index > 0
    assert recorded.to_numpy().tolist() == simulated.tolist()
    assert recorded == simulated.tolist()
    assert not written or written == simulated.tolist()


@each_case
def test_simulate_values_is_the_run_of_its_first_events(example, groups, monkeypatch):
    monkeypatch.setattr(schedule_reading, "BLOCK_SIZE", 128)  # so that these are more than two
    optimizer, events = make_optimizer(groups), 300
    scheduler = example(optimizer)
    rows = example.cls.simulate_values(events, **example.arguments(make_optimizer(groups)))
    for event, *values in rows:
        scheduler(None)
        assert values_of(optimizer)[: len(values)] == values
        assert event == scheduler.event_index - 1
    assert scheduler.event_index == events


@each_case
def test_any_event_can_be_reached_in_any_order(example, groups, monkeypatch):
    monkeypatch.setattr(schedule_reading, "BLOCK_SIZE", 128)
    optimizer = make_optimizer(groups)
    scheduler = example(optimizer)
    in_order = scheduler.simulate(300)
    events = [*random.Random(0).choices(range(300), k=12), 127, 128, 129, 256, 0]
    for event in events:
        scheduler.seek(event)
        scheduler(None)
        assert values_of(optimizer) == in_order[event].tolist()
        assert scheduler.simulate(3, start=event)[0].tolist() == in_order[event].tolist()
    scheduler.event_index = 10
    assert scheduler.event_index == 10


@for_each(
    ("example", "groups"),
    [case for case in CASES if case[0].seeks],
    [name for name, case in zip(CASE_IDS, CASES, strict=True) if case[0].seeks],
)
def test_far_events_cost_no_more_than_near_ones(example, groups, monkeypatch):
    """Counted, not timed: how many events of the schedule are evaluated to get there."""
    evaluated = []
    for cls in {type(part) for part in _parts(example(make_optimizer(groups)).schedule)}:

        def counted(self, indices, values=cls.values):
            evaluated.append(len(indices))
            return values(self, indices)

        if issubclass(cls, LiveSchedule):

            def asked(self, index, value=cls.value):
                evaluated.append(1)
                return value(self, index)

            monkeypatch.setattr(cls, "value", asked)
        else:
            monkeypatch.setattr(cls, "values", counted)
    costs = []
    for event in (10 * schedule_reading.BLOCK_SIZE, 10**9, 10**12):
        evaluated.clear()
        scheduler = example(make_optimizer(groups))
        scheduler.seek(event)
        scheduler(None)
        assert np.isfinite(values_of(scheduler.optimizer)).all()
        costs.append(sum(evaluated))
    # A block, at most once for each depth of a concatenation; an own get_param is asked once and reads no block.
    assert max(costs) <= 4 * schedule_reading.BLOCK_SIZE
    assert min(costs) > 0 or "get_param" in repr(scheduler)


def _parts(schedule):
    return [schedule, *(part for member in schedule.parts for part in _parts(member))]


# 3. Simulation touches nothing.


def _everything(optimizer, scheduler):
    """All that a simulation might change: what the scheduler holds is compared by its description."""
    held = {name: repr(value) for name, value in vars(scheduler).items() if name not in ("_slot", "_recorder")}
    return (
        snapshot(optimizer),
        scheduler.state_dict(),
        held,
        random.getstate(),
        torch.get_rng_state().tolist(),
        [np.asarray(part).tolist() for part in np.random.get_state()],  # noqa: NPY002
    )


@each_case
def test_simulation_touches_nothing(example, groups, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    optimizer = make_optimizer(groups)
    scheduler = example(optimizer)
    for _ in range(5):
        scheduler(None)
    before = _everything(optimizer, scheduler)
    following = scheduler.simulate(1, start=5)
    scheduler.simulate(20)
    scheduler.simulate(3, start=7)
    example.cls.simulate_values(10, **example.arguments(optimizer))
    assert _everything(optimizer, scheduler) == before
    assert list(tmp_path.iterdir()) == []
    scheduler(None)
    assert values_of(optimizer) == following[0].tolist()


class SimulationError(Exception):
    """Raised in the middle of a simulation."""


class InterruptedScheduler(CountingScheduler):
    def get_param(self):
        random.random(), torch.rand(1), np.random.rand()  # noqa: NPY002
        if self.event_index == 5:
            raise SimulationError
        return super().get_param()


@pytest.mark.parametrize("kind", ["function", "get_param"])
def test_an_interrupted_simulation_touches_nothing(kind):
    optimizer = make_optimizer(3)

    def function(event_index):
        random.random(), torch.rand(1), np.random.rand()  # noqa: NPY002
        if event_index == 5:
            raise SimulationError
        return 0.1

    if kind == "function":
        scheduler = ParamScheduler(optimizer, "lr", schedule=function)
    else:
        scheduler = InterruptedScheduler(optimizer, "lr")
    scheduler(None)
    before = _everything(optimizer, scheduler)
    with pytest.raises(SimulationError):
        scheduler.simulate(20)
    assert _everything(optimizer, scheduler) == before


# 5. State is plain data, and loading is all or nothing.


@each_case
@pytest.mark.parametrize("way", ["torch", "json"])
def test_state_survives_saving_and_goes_on(example, groups, way, tmp_path):
    optimizer = make_optimizer(groups)
    scheduler = example(optimizer)
    unbroken = scheduler.simulate(40)
    for _ in range(17):
        scheduler(None)
    if way == "json":
        state = json.loads(json.dumps(scheduler.state_dict()))
    else:
        torch.save(scheduler.state_dict(), tmp_path / "state.pt")
        state = torch.load(tmp_path / "state.pt", weights_only=True)
    optimizer = make_optimizer(groups)
    resumed = example(optimizer)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == scheduler.state_dict()
    for event in range(17, 40):
        resumed(None)
        assert values_of(optimizer) == unbroken[event].tolist()


BROKEN_STATES = {
    "missing": lambda state: {key: value for key, value in state.items() if key != "event_index"},
    "extra": lambda state: {**state, "cycle": 1},
    "empty": lambda state: {},
    "float index": lambda state: {**state, "event_index": 3.0},
    "string index": lambda state: {**state, "event_index": "3"},
    "bool index": lambda state: {**state, "event_index": True},
    "no index": lambda state: {**state, "event_index": None},
    "negative index": lambda state: {**state, "event_index": -1},
    "schedule of another type": lambda state: {**state, "schedule": 3},
    "another class": lambda state: {**state, "scheduler": "SomebodyElse"},
    "another parameter": lambda state: {**state, "param_name": "momentum"},
    "ignite's": lambda state: {"event_index": 3, "param_name": "lr", "save_history": False, "param_group_index": None},
    "an optimizer's": lambda state: make_optimizer().state_dict(),
    "no mapping": lambda state: [("event_index", 3)],
    "nothing": lambda state: None,
}


@each_case
def test_a_broken_state_loads_nothing(example, groups):
    scheduler = example(make_optimizer(groups))
    scheduler.seek(7)
    before = scheduler.state_dict()
    for name, broken in BROKEN_STATES.items():
        with pytest.raises((TypeError, ValueError), match="state_dict|event_index"):
            scheduler.load_state_dict(broken({**before, "event_index": 3}))
        assert scheduler.state_dict() == before, name


# 6. A tensor stays the same tensor.


@each_case
def test_a_tensor_is_filled_in_place(example, groups):
    optimizer = make_optimizer(groups, lr=torch.tensor(0.5, dtype=torch.float64), foreach=False)
    for group in optimizer.param_groups:
        group["lr"] = group["lr"].clone()
    tensors = [group["lr"] for group in optimizer.param_groups]
    scheduler = example(optimizer)
    expected = example(make_optimizer(groups)).simulate(20)
    for event in range(20):
        scheduler(None)
        assert [tensor.item() for tensor in tensors] == expected[event].tolist()
    assert all(group["lr"] is tensor for group, tensor in zip(optimizer.param_groups, tensors, strict=True))


@pytest.mark.filterwarnings("ignore:.* must be at least 0 and less than 1")
@each_case
def test_a_tensor_among_the_betas_is_filled_in_place(example, groups):
    betas = torch.tensor(0.9, dtype=torch.float64), torch.tensor(0.999, dtype=torch.float64)
    optimizer = make_optimizer(groups, torch.optim.Adam, betas=betas, foreach=False, capturable=False)
    if example.per_group:
        # torch gave one tensor to all groups, which therefore cannot have values of their own.
        with pytest.raises(ValueError, match="their own tensor 'betas'"):
            example(optimizer, "betas[0]")(None)
        assert betas[0].item() == 0.9
        for group in optimizer.param_groups:
            group["betas"] = tuple(beta.clone() for beta in betas)
    tensors = [group["betas"][0] for group in optimizer.param_groups]
    scheduler = example(optimizer, "betas[0]")
    expected = example(make_optimizer(groups)).simulate(20)
    for event in range(20):
        scheduler(None)
        assert [tensor.item() for tensor in tensors] == expected[event].tolist()
    assert all(group["betas"][0] is tensor for group, tensor in zip(optimizer.param_groups, tensors, strict=True))
    assert betas[1].item() == 0.999


def test_one_group_of_several_that_share_a_tensor_cannot_be_written_alone():
    optimizer = make_optimizer(1, lr=torch.tensor(0.5), foreach=False)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    optimizer.param_groups[0]["lr"] = optimizer.param_groups[1]["lr"]
    with pytest.raises(ValueError, match="their own tensor 'lr' to have different values"):
        ParamScheduler(optimizer, "lr", param_group_index=0, schedule=abs)
    optimizer.param_groups[0]["lr"] = torch.tensor(0.5)
    scheduler = ParamScheduler(optimizer, "lr", param_group_index=0, schedule=abs)
    scheduler(None)
    assert values_of(optimizer) == [0.0, 0.5]


@each_case
def test_a_tensor_put_there_in_mid_run_is_kept(example, groups):
    optimizer = make_optimizer(groups)
    scheduler = example(optimizer)
    scheduler(None)
    scheduler(None)
    tensors = [torch.tensor(0.0, dtype=torch.float64) for _ in optimizer.param_groups]
    for group, tensor in zip(optimizer.param_groups, tensors, strict=True):
        group["lr"] = tensor
    expected = formula(scheduler)(2)
    scheduler(None)
    assert [tensor.item() for tensor in tensors] == expected
    assert all(group["lr"] is tensor for group, tensor in zip(optimizer.param_groups, tensors, strict=True))


# 7. A wrong name is an error that lists the right ones.


@each_case
def test_a_wrong_name_is_an_error_that_lists_the_right_ones(example, groups):
    for optimizer in (make_optimizer(groups), make_optimizer(groups, torch.optim.Adam)):
        before = snapshot(optimizer)
        for name in ("learning_rate", "lr (base)", "", "betas", "betas[2]", "params", "params[0]", "nesterov"):
            with pytest.raises(ValueError, match="param_name must be one of .*'lr'") as error:
                example(optimizer, name)
            assert repr(name) in str(error.value)
        with pytest.raises(ValueError, match="did you mean 'weight_decay'"):
            example(optimizer, "wieght_decay")
        assert snapshot(optimizer) == before


@pytest.mark.filterwarnings("ignore:.* must be at least 0 and less than 1")
@each_case
@pytest.mark.parametrize("name", ["momentum", "betas[0]"])
def test_momentum_is_betas_0_where_there_are_betas(example, groups, name):
    optimizer = make_optimizer(groups, torch.optim.AdamW, betas=(0.9, 0.98))
    scheduler = example(optimizer, name)
    expected = example(make_optimizer(groups)).simulate(12)
    for event in range(12):
        scheduler(None)
        assert values_of(optimizer, "betas[0]") == expected[event].tolist()
    assert all(type(group["betas"]) is tuple and group["betas"][1] == 0.98 for group in optimizer.param_groups)
    assert all("momentum" not in group for group in optimizer.param_groups)


# 10. Groups are looked up when they are written.


@pytest.mark.filterwarnings("ignore:.* the engine begins a run at iteration 0")
@each_case
def test_a_group_added_in_mid_run_is_written_too(example, groups):
    optimizer = make_optimizer(groups)
    scheduler = example(optimizer, save_history=True)
    trainer = make_trainer()
    scheduler.attach(trainer)
    trainer.run([0, 0], max_epochs=1)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(2))]})
    if example.per_group and example.cls is not CountingScheduler:
        before = snapshot(optimizer)
        scheduler.seek(15)  # in a concatenation, where the schedule with a value for each group is in force
        with pytest.raises(ValueError, match=f"{groups} values of 'lr' .* to {groups + 1} param groups"):
            scheduler(None)
        assert (snapshot(optimizer), scheduler.event_index) == (before, 15)
        return
    trainer.run([0, 0], max_epochs=1)
    fresh = example(make_optimizer(groups + 1))
    assert values_of(optimizer) == formula(fresh)(3)
    history = trainer.state.param_history["lr"]
    assert [len(row) for row in history] == [groups, groups, groups + 1, groups + 1]
    assert history[-1] == values_of(optimizer)


@each_case
def test_loading_the_optimizer_in_mid_run_does_no_harm(example, groups):
    optimizer = make_optimizer(groups)
    scheduler = example(optimizer)
    saved = copy.deepcopy(optimizer.state_dict())
    for event in range(6):
        if event == 3:
            optimizer.load_state_dict(saved)
        expected = formula(scheduler)(event)
        scheduler(None)
        assert values_of(optimizer) == expected


# Schedules are values: they compare, print and travel.


@each_case
def test_schedules_compare_print_and_pickle(example, groups):
    schedule = example(make_optimizer(groups)).schedule
    assert "0x" not in repr(schedule)
    if "get_param" in repr(schedule):
        return  # it asks a scheduler, which compares by identity
    assert schedule == example(make_optimizer(groups)).schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert schedule([3, 1]).tolist() == [np.asarray(schedule(i)).tolist() for i in (3, 1)]
    with pytest.raises(AttributeError):
        schedule.start_value = 1


def test_a_changed_schedule_is_told_on_loading():
    saved = OneCycleScheduler(make_optimizer(), "lr", 0.1, total_steps=100)
    saved.seek(30)
    resumed = OneCycleScheduler(make_optimizer(), "lr", 0.2, total_steps=100)
    with pytest.warns(UserWarning, match=r"(?s)event 30.*saved: OneCycle\(max_value=0.1.*now: .*max_value=0.2"):
        resumed.load_state_dict(saved.state_dict())
    assert resumed.event_index == 30
    with pytest.warns(UserWarning, match="the saved schedule differs") as warned:
        resumed.load_state_dict(saved.state_dict())
    assert warned[0].filename == __file__  # the user's line, not ours
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed.seek(7)
        with pytest.raises(UserWarning):
            resumed.load_state_dict(saved.state_dict())
    assert resumed.event_index == 7


def test_a_changed_schedule_under_an_own_get_param_is_told_too():
    def make(start_value):
        return HalvedCosine(make_optimizer(), "lr", start_value, 0.0, 4)

    with pytest.warns(UserWarning, match=r"CosineAnnealing\(start_value=0.1"):
        make(0.2).load_state_dict(make(0.1).state_dict())
