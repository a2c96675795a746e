"""DevicePlan on the CPU; tests/test_gpu.py captures it in a CUDA graph."""

import json

import pytest
import torch
from cases import for_each
from hypothesis import given
from ignite.engine import Engine
from nonsense import anything
from torch.optim import SGD, Adam

from lehr.handlers import (
    ConcatScheduler,
    CosineAnnealingScheduler,
    DevicePlan,
    ExponentialScheduler,
    Groups,
    LinearScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ResumeWarning,
    check_plan,
)
from lehr.handlers.core.schedule_reading import BLOCK_SIZE
from lehr.handlers.schedules import LinearInterpolation

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def optimizer_of(*rates, cls=SGD, **arguments):
    """Return an optimizer with a param group for each of the given learning rates."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(2))], "lr": rate} for rate in rates]
    return cls(groups, lr=rates[0], **arguments)


def tensors(groups, dtype=torch.float32):
    return [torch.tensor(0.1, dtype=dtype) for _ in range(groups)]


def rates_of(optimizer):
    return [group["lr"].item() for group in optimizer.param_groups]


SCHEDULES = {
    "cosine": lambda optimizer: CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.001, 37),
    "one value a group": lambda optimizer: OneCycleScheduler(optimizer, "lr", [0.1, 0.2, 0.3], total_steps=150),
    "one after another": lambda optimizer: ConcatScheduler(
        [LinearScheduler(optimizer, "lr", 10, start_value=0.0, end_value=0.1), SCHEDULES["cosine"](optimizer)], [10]
    ),
    "one group": lambda optimizer: CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.001, 37, param_group_index=1),
    "own values": lambda optimizer: ExponentialScheduler(optimizer, "lr", gamma=0.97),
}


@for_each("dtype", DTYPES, ids=str)
@for_each("name", SCHEDULES)
def test_it_writes_what_the_scheduler_writes_bit_for_bit(name, dtype):
    by_host, by_plan = optimizer_of(*tensors(3, dtype)), optimizer_of(*tensors(3, dtype))
    held = [group["lr"] for group in by_plan.param_groups]
    scheduler, plan = SCHEDULES[name](by_host), DevicePlan(SCHEDULES[name](by_plan), num_events=150)
    assert plan.values.dtype == dtype
    seen = set()
    for event in range(150):
        assert plan.event_index == event
        scheduler(None)
        plan.write()
        assert rates_of(by_plan) == rates_of(by_host)
        seen.add(tuple(rates_of(by_plan)))
    assert len(seen) > 15
    assert all(group["lr"] is tensor for group, tensor in zip(by_plan.param_groups, held, strict=True))


def test_the_constructor_writes_nothing():
    optimizer = optimizer_of(*tensors(2))
    DevicePlan(SCHEDULES["cosine"](optimizer), 10)
    assert rates_of(optimizer) == [torch.tensor(0.1).item()] * 2


def test_groups_of_several_types_are_each_rounded_once():
    one, other = (optimizer_of(tensors(1)[0], *tensors(1, torch.float64)) for _ in range(2))
    scheduler, plan = SCHEDULES["cosine"](one), DevicePlan(SCHEDULES["cosine"](other), 40)
    for _ in range(40):
        scheduler(None)
        plan.write()
        assert rates_of(other) == rates_of(one)


def test_a_tensor_that_groups_share_is_written_once():
    shared = torch.tensor(0.5)
    plan = DevicePlan(SCHEDULES["cosine"](optimizer_of(shared, shared)), 10)
    version = shared._version
    plan.write()
    assert shared._version == version + 1


def test_an_item_of_a_tuple_and_a_tensor_of_one_number_are_written():
    betas = torch.tensor(0.9), torch.tensor(0.99)
    optimizer = optimizer_of(torch.tensor([0.1]), cls=Adam, betas=betas)
    plan = DevicePlan(LinearScheduler(optimizer, "momentum", 2, start_value=0.5, end_value=0.75), 3)
    rate = DevicePlan(LinearScheduler(optimizer, "lr", 2, start_value=1.0, end_value=0.5), 3)
    plan.write(), plan.write(), rate.write(), rate.write()
    (group,) = optimizer.param_groups
    assert (group["betas"][0].item(), group["lr"].tolist()) == (0.625, [0.75])


def test_a_tensor_that_requires_grad_is_written():
    rate = torch.tensor(0.1, requires_grad=True)
    plan = DevicePlan(LinearScheduler(optimizer_of(rate), "lr", 2, start_value=1.0, end_value=0.5), 3)
    plan.write()
    assert rate.item() == 1.0
    assert rate.is_leaf


def test_after_the_last_event_the_last_value_is_written():
    optimizer = optimizer_of(*tensors(1))
    plan = DevicePlan(LinearScheduler(optimizer, "lr", 8, start_value=1.0, end_value=0.0), num_events=3)
    written = []
    for _ in range(5):
        plan.write()
        written.append(rates_of(optimizer))
    assert written == [[1.0], [0.875], [0.75], [0.75], [0.75]]
    assert plan.event_index == 5


def test_the_plan_starts_at_the_event_of_the_scheduler_and_can_seek():
    optimizer = optimizer_of(*tensors(1))
    scheduler = LinearScheduler(optimizer, "lr", 8, start_value=1.0, end_value=0.0)
    scheduler.seek(2)
    plan = DevicePlan(scheduler, 9)
    plan.write()
    assert (rates_of(optimizer), plan.event_index) == ([0.75], 3)
    plan.seek(7)
    plan.write()
    assert (rates_of(optimizer), plan.event_index) == ([0.125], 8)
    for wrong, error in ((-1, ValueError), (1.5, ValueError), ("7", TypeError)):
        with pytest.raises(error, match="event_index must be"):
            plan.seek(wrong)
    assert plan.event_index == 8


def test_a_plan_of_several_blocks_has_the_simulated_values():
    optimizer = optimizer_of(*tensors(1, torch.float64))
    plan = DevicePlan(SCHEDULES["cosine"](optimizer), BLOCK_SIZE + 100)
    assert plan.values.tolist() == plan.scheduler.simulate(BLOCK_SIZE + 100).tolist()


def test_param_groups_are_looked_up_when_they_are_written():
    optimizer = optimizer_of(*tensors(1))
    plan = DevicePlan(SCHEDULES["cosine"](optimizer), 10)
    plan.write()
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": torch.tensor(5.0)})
    plan.write()
    assert rates_of(optimizer) == torch.tensor([plan.scheduler.simulate(2)[1, 0]] * 2).float().tolist()


@pytest.mark.parametrize("added", ["adopt", "ignore"])
def test_added_groups_are_written_or_ignored_as_the_scheduler_does(added):
    optimizer = optimizer_of(*tensors(2))
    groups = Groups(added=added)
    ends = [[0.0, 0.5], [1.0, 2.0]]
    points = LinearInterpolation([(0, ends[0]), (4, ends[1])])
    plan = DevicePlan(ParamScheduler(optimizer, "lr", param_group_index=groups, schedule=points), 5)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": torch.tensor(7.0)})
    plan.write()
    assert rates_of(optimizer) == [0.0, 0.5, 0.5 if added == "adopt" else 7.0]


def test_groups_beyond_the_values_are_refused_and_nothing_is_written():
    optimizer = optimizer_of(*tensors(3))
    plan = DevicePlan(SCHEDULES["one value a group"](optimizer), 10)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": torch.tensor(7.0)})
    before = rates_of(optimizer)
    with pytest.raises(ValueError, match="3 values of 'lr' cannot be written to 4 param groups"):
        plan.write()
    assert (rates_of(optimizer), plan.event_index) == (before, 0)
    optimizer.param_groups[1]["lr"] = 0.25
    with pytest.raises(ValueError, match=r"'lr' must be a tensor in each selected param group, given 0.25 in group 1"):
        plan.write()


def test_a_tensor_that_another_group_shares_is_refused():
    shared, own = torch.tensor(0.1), torch.tensor(0.2)
    optimizer = optimizer_of(shared, own)
    plan = DevicePlan(CosineAnnealingScheduler(optimizer, "lr", 1.0, 0.0, 4, param_group_index=0), 10)
    # The new group has the default lr of the optimizer, which is the same tensor.
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    with pytest.raises(ValueError, match="must each have their own tensor 'lr' to have different values"):
        plan.write()
    assert (rates_of(optimizer)[1], plan.event_index, shared.item()) == (own.item(), 0, torch.tensor(0.1).item())


def test_a_tensor_of_another_dtype_is_refused():
    optimizer = optimizer_of(*tensors(1))
    plan = DevicePlan(SCHEDULES["cosine"](optimizer), 10)
    optimizer.param_groups[0]["lr"] = torch.tensor(0.1, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"'lr' must be torch.float32 on cpu .*, given torch.float64 on cpu"):
        plan.write()
    assert plan.event_index == 0


def test_a_state_loads_although_a_group_was_added():
    optimizer = optimizer_of(*tensors(2))
    points = LinearInterpolation([(0, [0.0, 0.5]), (4, [1.0, 2.0])])
    plan = DevicePlan(ParamScheduler(optimizer, "lr", param_group_index=Groups(added="adopt"), schedule=points), 5)
    plan.write()
    state = plan.state_dict()
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": torch.tensor(7.0)})
    plan.write()
    plan.load_state_dict(state)
    plan.write()
    assert (rates_of(optimizer), plan.event_index) == ([0.25, 0.875, 0.875], 2)


def test_a_state_that_would_make_the_plan_wider_changes_nothing():
    optimizer = optimizer_of(torch.tensor(0.5), torch.tensor(2.5))
    alone = [
        LinearScheduler(optimizer, "lr", 9, start_value=float(1 + at), end_value=0.0, param_group_index=at)
        for at in (0, 1)
    ]
    saved = ConcatScheduler([ParamGroupScheduler(alone), SCHEDULES["cosine"](optimizer)], [5])
    for _ in range(3):
        saved(None)
    narrow = DevicePlan(ConcatScheduler([SCHEDULES["cosine"](optimizer), SCHEDULES["cosine"](optimizer)], [9]), 10)
    narrow.seek(2)
    values = narrow.values.clone()
    assert values.shape[1] == 1
    with pytest.warns(ResumeWarning), pytest.raises(ValueError, match="must keep 1 values per event, given 2"):
        narrow.load_state_dict(saved.state_dict(), "keep_value")
    assert torch.equal(narrow.values, values)
    assert (narrow.event_index, narrow.scheduler.event_index, narrow.scheduler.schedule.groups) == (2, 2, None)


def test_plan_and_scheduler_load_the_states_of_each_other():
    optimizer = optimizer_of(*tensors(1))
    plan = DevicePlan(SCHEDULES["cosine"](optimizer), 100)
    for _ in range(60):
        plan.write()
    state = json.loads(json.dumps(plan.state_dict()))
    scheduler = SCHEDULES["cosine"](optimizer_of(*tensors(1)))
    scheduler.load_state_dict(state)
    assert scheduler.event_index == 60
    other = optimizer_of(*tensors(1))
    resumed = DevicePlan(SCHEDULES["cosine"](other), 100)
    values = resumed.values
    resumed.load_state_dict(scheduler.state_dict())
    assert resumed.values is values
    for _ in range(45):
        plan.write(), resumed.write()
        assert rates_of(other) == rates_of(optimizer)
    assert resumed.event_index == plan.event_index == 105


def test_a_resume_policy_applies_and_the_same_tensor_gets_the_new_values():
    saved = DevicePlan(LinearScheduler(optimizer_of(*tensors(1)), "lr", 10, start_value=1.0, end_value=0.0), 10)
    saved.seek(5)
    optimizer = optimizer_of(*tensors(1))
    plan = DevicePlan(LinearScheduler(optimizer, "lr", 20, start_value=1.0, end_value=0.0), 20)
    values = plan.values
    with pytest.warns(ResumeWarning):
        plan.load_state_dict(saved.state_dict(), resume_policy="keep_fraction")
    assert plan.values is values
    plan.write()
    assert (rates_of(optimizer), plan.event_index) == ([0.5], 6)


def test_a_state_that_is_refused_changes_nothing():
    optimizer = optimizer_of(*tensors(1))
    plan = DevicePlan(SCHEDULES["cosine"](optimizer), 100)
    plan.seek(7)
    values = plan.values.clone()
    for state, error in (({}, ValueError), (None, TypeError), ({**plan.state_dict(), "event_index": -1}, ValueError)):
        with pytest.raises(error):
            plan.load_state_dict(state)
    assert plan.event_index == 7
    assert torch.equal(plan.values, values)


class Ends(LinearInterpolation):
    """A schedule that raises an error after its last milestone."""

    def values(self, indices):
        if (indices > self.length).any():
            raise IndexError("no values there")
        return super().values(indices)


def test_a_state_whose_values_cannot_be_computed_changes_nothing():
    saved = ParamScheduler(optimizer_of(*tensors(1)), "lr", schedule=Ends([(0, 1.0), (10, 0.0)]))
    saved.seek(8)
    plan = DevicePlan(ParamScheduler(optimizer_of(*tensors(1)), "lr", schedule=Ends([(0, 1.0), (20, 0.0)])), 21)
    values = plan.values.clone()
    with pytest.warns(ResumeWarning), pytest.raises(IndexError, match="no values there"):
        plan.load_state_dict(saved.state_dict(), resume_policy="keep_fraction")
    assert plan.event_index == plan.scheduler.event_index == 0
    assert torch.equal(plan.values, values)
    assert plan.scheduler.schedule == Ends([(0, 1.0), (20, 0.0)])


@given(value=anything)
def test_nonsense_is_refused(value):
    if type(value) in (int, float) and 1 <= value == value // 1:
        return  # the value is a legal number of events
    for error in (
        lambda: DevicePlan(SCHEDULES["cosine"](optimizer_of(*tensors(1))), value),
        lambda: DevicePlan(value, 9),
    ):
        with pytest.raises((TypeError, ValueError), match="must be .*given"):
            error()


def compiles_ids():
    """Return whether the compiler supports ``id`` of a tensor; the compiler of torch 2.4 breaks the graph there."""
    try:
        torch.compile(lambda tensor: tensor + (id(tensor) == 0), backend="eager", fullgraph=True)(torch.zeros(1))
    except torch._dynamo.exc.Unsupported:
        return False
    return True


@for_each("name", SCHEDULES, one_in=3)
@for_each("fullgraph", [True, False])
def test_it_is_compiled_once(name, fullgraph):
    from torch._dynamo.testing import CompileCounter  # its import takes a second

    torch.compiler.reset()
    if fullgraph and not compiles_ids():
        return  # this torch cannot compile it as one graph
    optimizer, by_host = optimizer_of(*tensors(3)), optimizer_of(*tensors(3))
    plan, scheduler = DevicePlan(SCHEDULES[name](optimizer), 150), SCHEDULES[name](by_host)
    counter = CompileCounter()
    write = torch.compile(plan.write, backend=counter, fullgraph=fullgraph)
    write(), scheduler(None)
    compiled = counter.frame_count
    for _ in range(100):
        write(), scheduler(None)
        assert rates_of(optimizer) == rates_of(by_host)
    assert counter.frame_count == compiled
    assert not fullgraph or compiled == 1
    torch.compiler.reset()


@for_each(
    ("make", "error", "message"),
    [
        (lambda: DevicePlan(None, 10), TypeError, "scheduler must be a ParamScheduler, given None"),
        (
            lambda: DevicePlan(ParamGroupScheduler([SCHEDULES["cosine"](optimizer_of(*tensors(1)))]), 10),
            TypeError,
            "scheduler must be a ParamScheduler, given <ParamGroupScheduler",
        ),
        (
            lambda: DevicePlan(SCHEDULES["cosine"](optimizer_of(0.1, 0.2)), 10),
            ValueError,
            r"'lr' must be a tensor in each selected param group, given 0.1 in group 0; .*torch.tensor\(0.1\)",
        ),
        (
            lambda: DevicePlan(ParamScheduler(optimizer_of(*tensors(1)), "lr", schedule=lambda event: 0.1), 10),
            ValueError,
            "scheduler must have values that are known in advance",
        ),
        (
            lambda: DevicePlan(SCHEDULES["cosine"](optimizer_of(tensors(1)[0], torch.tensor(0.1, device="meta"))), 10),
            ValueError,
            r"'lr' must be on one device in all param groups, given \['cpu', 'meta'\]",
        ),
        *(
            (lambda n=n: DevicePlan(SCHEDULES["cosine"](optimizer_of(*tensors(1))), n), error, "num_events must be")
            for n, error in ((0, ValueError), (-1, ValueError), (2.5, ValueError), ("9", TypeError), (None, TypeError))
        ),
    ],
)
def test_schedulers_that_cannot_be_planned_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_check_plan_knows_that_a_plan_writes_the_values_of_its_scheduler():
    optimizer = optimizer_of(*tensors(1))
    plan = DevicePlan(SCHEDULES["cosine"](optimizer), 100)

    def step(engine, batch):
        plan.write()
        optimizer.step()

    def codes():
        return [finding.code for finding in check_plan(Engine(step), 2, 50)]

    assert "never-attached" not in codes()
    plan.scheduler._is_called_by_another = False
    assert "never-attached" in codes()


def test_it_says_what_it_is_and_waits_for_nothing():
    plan = DevicePlan(SCHEDULES["one value a group"](optimizer_of(*tensors(3))), 100)
    assert repr(plan).startswith("<DevicePlan of 'lr', 100 x 3 values on cpu: OneCycle(max_value=(0.1, 0.2, 0.3)")
