"""Compiled steps of whole set-ups: several groups, several schedulers, wrapped and metric-driven ones."""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from compiling import (
    EVENTS,
    TOLERANCE,
    WARM_UP,
    Counting,
    largest_difference,
    no_recompilation,
    params_of_a_group,
    train,
)
from ignite.engine import Engine, Events
from torch.optim import SGD, AdamW
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

# The tests run a trainer anew on purpose.
pytestmark = [
    pytest.mark.usefixtures("fresh_compiler"),
    pytest.mark.proof,
    pytest.mark.filterwarnings("ignore:.* the engine begins a run at iteration 0"),
    pytest.mark.filterwarnings("ignore:.* must be .*, but .* writes"),
]

PROOF = pytest.mark.proof
WAYS = pytest.mark.parametrize("way", ["method", pytest.param("function", marks=PROOF)])
TOTAL = WARM_UP + EVENTS
FALL = Anneal(0.1, 0.01, TOTAL)


def optimizer_of(groups=1, shared=True, kind=AdamW, **more):
    lr = torch.tensor(0.1)
    each = [{"params": params_of_a_group(), "lr": lr if shared else lr.clone()} for _ in range(groups)]
    return kind(each, lr=lr, **more)


def tensors_in(optimizer):
    """All that there are, in order: to see that each remains the same one, and what it holds."""
    others = ("params", "initial_lr")  # the latter is what a torch scheduler notes, and never writes again
    values = [value for group in optimizer.param_groups for key, value in group.items() if key not in others]
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


@WAYS
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
    cycles = LinearCyclicalScheduler.simulate_values(
        TOTAL, param_name="lr", start_value=0.01, end_value=0.1, cycle_size=30
    )
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
        lambda index: [cycles[index][1], FALL(index)],
    )


BETAS = OneCycleScheduler.simulate_values(
    TOTAL, param_name="momentum", max_value=0.95, base_value=0.85, inverse=True, total_steps=TOTAL
)


def scheduled_together(optimizer):
    return [
        ParamScheduler(optimizer, "lr", schedule=FALL),
        OneCycleScheduler(optimizer, "momentum", max_value=0.95, base_value=0.85, inverse=True, total_steps=TOTAL),
        ParamScheduler(optimizer, "betas[1]", schedule=lambda index: 0.99 + 0.001 * FALL(index)),
        ParamScheduler(optimizer, "weight_decay", schedule=lambda index: max(0.001, 0.1 - 0.002 * index)),
    ]


def of_tensors(index):
    return [FALL(index), BETAS[index][1], 0.99 + 0.001 * FALL(index)]


def test_several_schedulers_at_once_one_of_them_of_a_float():
    def make():
        betas = torch.tensor(0.9), torch.tensor(0.99)
        return optimizer_of(betas=betas, weight_decay=0.1)  # an input from the second event on, as long as it is not 0

    both(make, scheduled_together, of_tensors)


def test_a_tensor_may_come_to_zero():
    both(
        lambda: SGD(params_of_a_group(), lr=torch.tensor(0.1), momentum=0.9),
        lambda optimizer: [ParamScheduler(optimizer, "lr", schedule=lambda index: max(0.0, 0.1 - 0.002 * index))],
        lambda index: [max(0.0, 0.1 - 0.002 * index)],
    )


TORCHS = {
    "CosineAnnealingLR": lambda optimizer: peer.CosineAnnealingLR(optimizer, 60),
    "OneCycleLR": lambda optimizer: peer.OneCycleLR(optimizer, 0.1, TOTAL, cycle_momentum=False),
    "SequentialLR": lambda optimizer: peer.SequentialLR(
        optimizer, [peer.LinearLR(optimizer), peer.ExponentialLR(optimizer, 0.99)], [20]
    ),
}


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("CosineAnnealingLR", "function"),
        ("OneCycleLR", "method"),
        pytest.param("SequentialLR", "function", marks=PROOF),
    ],
)
def test_a_scheduler_of_torch(kind, way):
    table = LRScheduler(TORCHS[kind](optimizer_of())).simulate(TOTAL)
    both(
        optimizer_of,
        lambda optimizer: [LRScheduler(TORCHS[kind](optimizer))],
        lambda index: [float(table[index, 0])],
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


@WAYS
def test_events_of_the_step_itself_come_within_what_is_compiled(way):
    both(
        optimizer_of,
        lambda optimizer: [ParamScheduler(optimizer, "lr", schedule=FALL)],
        lambda index: [FALL(index)],
        way,
        attach=lambda scheduler, trainer: scheduler.attach(trainer, OptimizerEvents.STEP_STARTED),
        graphs_an_event=1,  # the step alone: the tensor is filled outside of what is compiled
    )


def test_a_whole_training_step_is_compiled():
    def trained(backend):
        generator = torch.Generator().manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
        for param in model.parameters():
            param.data.copy_(torch.randn(param.shape, generator=generator))
        optimizer = AdamW(model.parameters(), lr=torch.tensor(0.1))
        tensor = optimizer.param_groups[0]["lr"]

        def step(images, labels):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()

        compiled = torch.compile(step, backend=backend) if backend else step

        def update(engine, batch):
            generator.manual_seed(batch)
            images, labels = torch.randn(8, 4, generator=generator), torch.randint(2, (8,), generator=generator)
            with no_recompilation() if engine.state.iteration > WARM_UP else nullcontext():
                compiled(images, labels)
            assert optimizer.param_groups[0]["lr"] is tensor
            assert tensor.item() == FALL(batch)
            seen.append(backend.runs if backend else 0)

        trainer, seen = Engine(update), []
        ParamScheduler(optimizer, "lr", schedule=FALL).attach(trainer)
        trainer.run(range(TOTAL), max_epochs=1)
        # The model with its loss is a graph, and the step is another. What leads backwards is not traced.
        assert not backend or seen[-1] - seen[WARM_UP - 1] == 2 * EVENTS
        return [param.detach() for param in model.parameters()]

    assert largest_difference(trained(Counting()), trained(None)) <= TOLERANCE
