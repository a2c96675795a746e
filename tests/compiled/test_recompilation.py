"""What torch 2.13 does compile again: what a tensor spares that is filled, and proof that the other tests can fail."""

import pytest
import torch
from compiling import EVENTS, WARM_UP, Counting, largest_difference, params_of, params_of_a_group, train
from ignite.engine import Events
from ignite.handlers import param_scheduler as ignite
from torch.optim import AdamW

from lehr.handlers import ParamScheduler
from lehr.handlers.schedules import Anneal

# The tests run a trainer anew on purpose.
pytestmark = [
    pytest.mark.usefixtures("fresh_compiler"),
    pytest.mark.proof,
    pytest.mark.filterwarnings("ignore:.* the engine begins a run at iteration 0"),
    pytest.mark.filterwarnings("ignore:.* must be .*, but .* writes"),
]

FALL = Anneal(0.1, 0.01, WARM_UP + EVENTS)


class Writing:
    """What acts at each event."""

    def __init__(self, write):
        self.write = write

    def attach(self, trainer):
        trainer.add_event_handler(Events.ITERATION_STARTED, lambda engine: self.write(engine.state.iteration - 1))


def recompiled(optimizer, schedulers, warm_up, **options):
    """The event at which something was compiled after the warm-up, or None, and how many graphs there were."""
    backend, events = Counting(), []
    step = torch.compile(lambda: optimizer.step(), backend=backend, **options)
    try:
        train(optimizer, schedulers, step, events.append, warm_up=warm_up)
    except RuntimeError as error:
        assert "Detected recompile when torch.compile stance is 'fail_on_recompile'" in str(error)
        return events[-1], backend.graphs
    assert len(events) == WARM_UP + EVENTS
    return None, backend.graphs


def adamw(**arguments):
    return AdamW(params_of_a_group(), **{"lr": 0.1, **arguments})


def test_a_tensor_is_compiled_once():
    optimizer = adamw(lr=torch.tensor(0.1))
    assert recompiled(optimizer, [ParamScheduler(optimizer, "lr", schedule=FALL)], warm_up=1) == (None, 1)


@pytest.mark.parametrize(("warm_up", "expected"), [(1, (1, 1)), (2, (None, 2))])
def test_a_float_is_compiled_again_when_it_changes_first(warm_up, expected):
    # It is taken for a constant at first, and for an input from then on.
    optimizer = adamw()
    assert recompiled(optimizer, [ParamScheduler(optimizer, "lr", schedule=FALL)], warm_up) == expected


def test_a_float_is_compiled_again_at_each_change_where_nothing_is_dynamic():
    optimizer = adamw()
    schedulers = [ParamScheduler(optimizer, "lr", schedule=FALL)]
    assert recompiled(optimizer, schedulers, warm_up=3, dynamic=False) == (3, 3)


def test_a_float_that_changes_late_is_compiled_again_late():
    late = 50
    optimizer = adamw(lr=torch.tensor(0.1))
    schedulers = [
        ParamScheduler(optimizer, "lr", schedule=FALL),
        ParamScheduler(optimizer, "weight_decay", schedule=lambda index: 0.1 if index < late else 0.05),
    ]
    assert recompiled(optimizer, schedulers, WARM_UP) == (late, 1)


def test_a_float_is_compiled_again_when_it_comes_to_zero():
    optimizer = adamw()
    schedule = lambda index: max(0.0, 0.1 - 0.01 * index)  # noqa: E731 -- a schedule
    schedulers = [ParamScheduler(optimizer, "weight_decay", schedule=schedule)]
    assert recompiled(optimizer, schedulers, WARM_UP) == (10, 2)


@pytest.mark.parametrize(("warm_up", "expected"), [(1, (1, 1)), pytest.param(2, (None, 2), marks=pytest.mark.proof)])
def test_ignite_replaces_the_tensor_by_a_float_which_is_compiled_again(warm_up, expected):
    optimizer = adamw(lr=torch.tensor(0.1))
    scheduler = ignite.CosineAnnealingScheduler(optimizer, "lr", 0.1, 0.01, EVENTS)
    attached = Writing(lambda index: scheduler(None))
    assert recompiled(optimizer, [attached], warm_up) == expected
    assert type(optimizer.param_groups[0]["lr"]) is float


def test_a_tensor_that_is_replaced_by_one_of_another_dtype_is_compiled_again():
    optimizer = adamw(lr=torch.tensor(0.1))

    def replace(index):
        if index == 10:
            optimizer.param_groups[0]["lr"] = torch.tensor(0.1, dtype=torch.float32)

    assert recompiled(optimizer, [Writing(replace)], WARM_UP) == (10, 1)


def test_tensors_that_are_replaced_by_one_for_all_groups_are_compiled_again():
    groups = [{"params": params_of_a_group(), "lr": torch.tensor(0.1)} for _ in range(2)]
    optimizer = AdamW(groups, lr=torch.tensor(0.1))

    def replace(index):
        if index == 10:
            tensor = torch.tensor(0.1)
            for group in optimizer.param_groups:
                group["lr"] = tensor

    assert recompiled(optimizer, [Writing(replace)], WARM_UP) == (10, 1)


def test_a_tensor_that_is_replaced_by_one_of_its_kind_is_not_compiled_again():
    # It is looked up in the param group. Whoever else holds the tensor, such as a captured graph, reads the old one.
    optimizer, still = adamw(lr=torch.tensor(0.1)), []

    def replace(index):
        optimizer.param_groups[0]["lr"] = torch.tensor(0.1 if index < 10 else 0.0)
        if index in (10, 20):
            still.append([param.detach().clone() for param in params_of(optimizer)])

    assert recompiled(optimizer, [Writing(replace)], WARM_UP) == (None, 1)
    assert all(map(torch.equal, *still))


def test_torch_does_not_notice_that_groups_share_a_tensor_no_longer():
    # The compiled step reads the first group's tensor for all: each is to have its own before anything is compiled.
    def trained(compiled):
        lr = torch.tensor(0.1)
        optimizer = AdamW([{"params": params_of_a_group()} for _ in range(2)], lr=lr)

        def part(index):
            if index == 10:
                optimizer.param_groups[1]["lr"] = torch.tensor(0.0)

        step = torch.compile(lambda: optimizer.step(), backend=Counting()) if compiled else None
        return train(optimizer, [Writing(part)], step)

    assert largest_difference(trained(compiled=True), trained(compiled=False)) > 0.1
