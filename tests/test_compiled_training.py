"""Compiled steps of whole set-ups: several groups, several schedulers, wrapped and metric-driven ones, a resumed run."""

from functools import partial

import pytest
import torch
from compiling import (
    EVENTS,
    TOLERANCE,
    WARM_UP,
    Counting,
    largest_difference,
    params_of_a_group,
    train,
)
from ignite.engine import Engine, Events
from torch.optim import AdamW
from torch.optim import lr_scheduler as peer

from lehr.engine import OptimizerEvents
from lehr.handlers import (
    LinearCyclicalScheduler,
    LRScheduler,
    OneCycleScheduler,
    ParamGroupScheduler,
    ParamScheduler,
    ReduceOnPlateauScheduler,
)
from lehr.handlers.schedules import Anneal

pytestmark = pytest.mark.usefixtures("fresh_compiler")

TOTAL = WARM_UP + EVENTS
FALL = Anneal(0.1, 0.01, TOTAL)


def optimizer_of(groups=1, shared=True, kind=AdamW, **more):
    lr = torch.tensor(0.1)
    each = [{"params": params_of_a_group(), "lr": lr if shared else lr.clone()} for _ in range(groups)]
    return kind(each, lr=lr, **more)


def tensors_in(optimizer):
    """All that there are, in order: to see that each remains the same one."""
    values = [value for group in optimizer.param_groups for key, value in group.items() if key != "params"]
    items = [item for value in values for item in (value if isinstance(value, tuple) else [value])]
    return [item for item in items if isinstance(item, torch.Tensor)]


def both(make, schedule, expected, way="function", attach=None, graphs_an_event=1):
    """Train compiled and uncompiled, and compare these, and what is held at each event with what it should be.

    Args:
        make: gives an optimizer.
        schedule: gives its schedulers.
        expected: the values of all tensors at an event.
        way: how the step is compiled.
        attach: how a scheduler is attached, if not to the default event.
        graphs_an_event: how many graphs are run at each event.
    """

    def trained(backend):
        optimizer = make()
        schedulers = schedule(optimizer)  # before the step is compiled: a torch scheduler wraps the step
        tensors, seen, before = tensors_in(optimizer), [], []

        def step():
            compiled()
            seen.append([tensor.item() for tensor in tensors_in(optimizer)])

        def check(index):
            if index == WARM_UP and backend:
                before.append(backend.runs)

        if backend is None:
            compiled = optimizer.step
        elif way == "method":
            compiled = torch.compile(optimizer.step, backend=backend)
        else:
            compiled = torch.compile(lambda: optimizer.step(), backend=backend)
        params = train(optimizer, schedulers, step, check, **({"attach": attach} if attach else {}))
        assert list(map(id, tensors_in(optimizer))) == list(map(id, tensors))
        assert seen == [expected(index) for index in range(TOTAL)]
        if backend:
            assert backend.runs - before[0] == graphs_an_event * EVENTS
        return params

    assert largest_difference(trained(Counting()), trained(None)) <= TOLERANCE


@pytest.mark.parametrize("way", ["function", "method"])
def test_groups_may_share_a_tensor(way):
    both(
        partial(optimizer_of, 3),
        lambda optimizer: [ParamScheduler(optimizer, "lr", schedule=FALL)],
        lambda index: [FALL(index)] * 3,
        way,
    )


def test_groups_may_have_a_tensor_and_a_value_each():
    both(
        partial(optimizer_of, 3, shared=False),
        lambda optimizer: [
            ParamScheduler(optimizer, "lr", schedule=lambda index: [FALL(index) * at for at in range(3)])
        ],
        lambda index: [FALL(index) * at for at in range(3)],
    )


def test_a_group_scheduler_writes_a_tensor_in_each_group():
    rise = [LinearCyclicalScheduler.simulate_values(TOTAL, start_value=0.01, end_value=0.1, cycle_size=30)]
    both(
        partial(optimizer_of, 2, shared=False),
        lambda optimizer: [
            ParamGroupScheduler(
                [
                    LinearCyclicalScheduler(optimizer, "lr", 0.01, 0.1, 30, param_group_index=0),
                    ParamScheduler(optimizer, "lr", param_group_index=1, schedule=FALL),
                ],
                names=["body", "head"],
            )
        ],
        lambda index: [rise[0][index][1], FALL(index)],
    )


BETAS = OneCycleScheduler.simulate_values(
    TOTAL, param_name="momentum", max_value=0.95, base_value=0.85, inverse=True, total_steps=TOTAL
)


def scheduled_together(optimizer):
    return [
        ParamScheduler(optimizer, "lr", schedule=FALL),
        OneCycleScheduler(optimizer, "momentum", max_value=0.95, base_value=0.85, inverse=True, total_steps=TOTAL),
        ParamScheduler(optimizer, "betas[1]", schedule=lambda index: 0.99 + 0.001 * FALL(index)),
        ParamScheduler(optimizer, "weight_decay", schedule=lambda index: max(0.0, 0.1 - 0.002 * index)),
    ]


def of_all_together(index, decay=True):
    values = [FALL(index), BETAS[index][1], 0.99 + 0.001 * FALL(index)]
    return [*values, max(0.0, 0.1 - 0.002 * index)] if decay else values


@pytest.mark.parametrize("way", ["function", "method"])
def test_several_schedulers_at_once_one_of_them_down_to_nothing(way):
    betas = torch.tensor(0.9), torch.tensor(0.99)

    def make():
        own = tuple(beta.clone() for beta in betas)
        return optimizer_of(betas=own, weight_decay=torch.tensor(0.1))

    # Weight decay comes to 0.0 in mid-run, where torch takes another branch; the pieces of the step are compiled before.
    both(make, scheduled_together, of_all_together, way, graphs_an_event=2)


TORCHS = {
    "CosineAnnealingLR": lambda optimizer: peer.CosineAnnealingLR(optimizer, 60),
    "OneCycleLR": lambda optimizer: peer.OneCycleLR(optimizer, 0.1, TOTAL, cycle_momentum=False),
    "SequentialLR": lambda optimizer: peer.SequentialLR(
        optimizer, [peer.LinearLR(optimizer), peer.ExponentialLR(optimizer, 0.99)], [20]
    ),
}


@pytest.mark.parametrize("way", ["function", "method"])
@pytest.mark.parametrize("kind", TORCHS)
def test_a_scheduler_of_torch(kind, way):
    table = LRScheduler(TORCHS[kind](optimizer_of())).simulate(TOTAL)
    both(
        optimizer_of,
        lambda optimizer: [LRScheduler(TORCHS[kind](optimizer))],
        lambda index: [table[index, 0]],
        way,
    )


def test_a_plateau_reduces_a_tensor():
    def attach(scheduler, trainer):
        @trainer.on(Events.ITERATION_STARTED(event_filter=lambda _, iteration: iteration % 10 == 1 and iteration > 1))
        def evaluate():
            evaluator.state.metrics["loss"] = 1.0
            scheduler(evaluator)

        evaluator = Engine(lambda engine, batch: None)

    both(
        optimizer_of,
        lambda optimizer: [ReduceOnPlateauScheduler(optimizer, "lr", "loss", factor=0.5, patience=0)],
        lambda index: [0.1 * 0.5 ** max(0, index // 10 - 1)],  # the first metric is the best one
        attach=attach,
    )


@pytest.mark.parametrize("way", ["function", "method"])
def test_events_of_the_step_itself_come_within_what_is_compiled(way):
    both(
        optimizer_of,
        lambda optimizer: [ParamScheduler(optimizer, "lr", schedule=FALL)],
        lambda index: [FALL(index)],
        way,
        attach=lambda scheduler, trainer: scheduler.attach(trainer, OptimizerEvents.STEP_STARTED),
        graphs_an_event=2,
    )
