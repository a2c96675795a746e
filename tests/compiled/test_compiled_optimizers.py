"""Steps under torch.compile whose hyper-parameters are tensors: a schedule never makes torch 2.13 compile again.

The tables are what was found by trying. Of what stands in param groups, torch promises to take tensors for the learning
rate, and for the betas of Adam and AdamW. The others here are taken as well, and take effect. But most of torch's code
asks ``weight_decay != 0`` and ``momentum != 0``, whose answer for a tensor the compiler cannot know: it gives up, and
the step is taken as if it were not compiled. (Such a number is better left a float: see test_recompilation.py.)

Left out is what has no effect on the params after the first step: Rprop's learning rate, Adagrad's
``initial_accumulator_value``, ASGD's ``t0``.
"""

import inspect

import pytest
import torch
from cases import for_each
from compiling import EVENTS, TOLERANCE, WARM_UP, Counting, held, largest_difference, params_of, train, with_tensor
from torch.optim import ASGD, SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, Rprop

from lehr.handlers import ParamScheduler
from lehr.handlers.schedules import Anneal

if not hasattr(torch.optim, "Muon"):
    pytest.skip("the compiler of this torch is older than the tables", allow_module_level=True)
from torch.optim import Adafactor, Muon

pytestmark = [
    pytest.mark.usefixtures("fresh_compiler"),
    pytest.mark.filterwarnings("ignore:.* must be .*, but .* writes"),
]

DECAY = {"lr": 0.1, "weight_decay": 0.1}

# Optimizer, arguments, the one of them that is a tensor, and how many graphs are run at each event: 1 where the whole
# step is one graph, 0 where torch compiles nothing of it, and more where it
# compiles pieces, such as functions that the step calls.
CASES = [
    (SGD, {"lr": 0.1, "momentum": 0.9}, "lr", 1),
    (Adam, DECAY, "lr", 1),
    (AdamW, DECAY, "lr", 1),
    (Muon, DECAY, "lr", 1),
    (Adam, DECAY, "betas[1]", 1),
    (Adam, DECAY, "momentum", 1),
    (SGD, DECAY, "weight_decay", 0),
]
MORE = [
    (Adafactor, DECAY, "lr", 0),
    (AdamW, DECAY, "weight_decay", 0),
    (SGD, {"lr": 0.1, "momentum": 0.9}, "momentum", 0),
    (Muon, DECAY, "weight_decay", 1),
    (Muon, {"lr": 0.1, "momentum": 0.9}, "momentum", 1),
    (Adam, DECAY, "betas[0]", 1),
    (RMSprop, {"lr": 0.1, "momentum": 0.5}, "lr", 1),
    (Adadelta, DECAY, "lr", 1),
    (AdamW, DECAY, "betas[1]", 1),
    (AdamW, DECAY, "betas[0]", 1),
    (ASGD, DECAY, "lr", 1),
    (Adagrad, DECAY, "lr", 1),
    (RAdam, DECAY, "lr", 1),
    (NAdam, DECAY, "lr", 1),
    (Adamax, DECAY, "lr", 1),
    (SGD, {"lr": 0.1, "momentum": 0.9, "foreach": True}, "lr", 1),
    (Adagrad, {**DECAY, "foreach": True}, "lr", 1),
    (Adadelta, {**DECAY, "foreach": True}, "lr", 1),
    (RMSprop, {**DECAY, "foreach": True}, "lr", 1),
    (SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.1}, "dampening", 1),
    (Adam, {"lr": 0.1, "eps": 0.1}, "eps", 1),
    (Adam, {"lr": 0.1, "amsgrad": True}, "lr", 1),
    (Adamax, DECAY, "betas[0]", 1),
    (Adamax, DECAY, "betas[1]", 1),
    (NAdam, DECAY, "betas[0]", 1),
    (NAdam, DECAY, "betas[1]", 1),
    (NAdam, {"lr": 0.1, "momentum_decay": 0.1}, "momentum_decay", 1),
    (RAdam, DECAY, "betas[0]", 1),
    (RAdam, DECAY, "betas[1]", 1),
    (Adagrad, {"lr": 0.1, "lr_decay": 0.1}, "lr_decay", 1),
    (Adadelta, DECAY, "rho", 1),
    (ASGD, {"lr": 0.1, "lambd": 0.1}, "lambd", 1),
    (ASGD, {"lr": 0.1, "lambd": 0.1}, "alpha", 1),
    (RMSprop, {"lr": 0.1, "momentum": 0.5}, "alpha", 1),
    (Rprop, {"lr": 0.1}, "etas[0]", 1),
    (Rprop, {"lr": 0.1}, "etas[1]", 1),
    (Rprop, {"lr": 0.1, "step_sizes": (0.01, 0.2)}, "step_sizes[0]", 1),
    (Adam, DECAY, "weight_decay", 0),
    (Adamax, DECAY, "weight_decay", 0),
    (NAdam, DECAY, "weight_decay", 0),
    (RAdam, DECAY, "weight_decay", 4),
    (Adagrad, DECAY, "weight_decay", 0),
    (ASGD, DECAY, "weight_decay", 0),
    (RMSprop, DECAY, "weight_decay", 0),
    (RMSprop, {"lr": 0.1, "momentum": 0.5}, "momentum", 0),
    (Adadelta, DECAY, "weight_decay", 0),
    (Adafactor, DECAY, "weight_decay", 0),
    (Adafactor, DECAY, "beta2_decay", 0),
    (Adafactor, {"lr": 0.1, "d": 2.0}, "d", 0),
    (SGD, {"lr": 0.1, "momentum": 0.9, "fused": True}, "lr", 0),
    (Adam, {**DECAY, "fused": True}, "lr", 0),
    (Adam, {**DECAY, "fused": True}, "betas[0]", 0),
]


def ids(value):
    return value.__name__ if isinstance(value, type) else "-".join(value) if isinstance(value, dict) else str(value)


@pytest.mark.parametrize(
    ("kind", "arguments", "name", "runs"),
    [
        (AdamW, DECAY, "lr", 1),
        *(pytest.param(*row, marks=pytest.mark.proof) for row in CASES + MORE if row != (AdamW, DECAY, "lr", 1)),
    ],
    ids=ids,
)
def test_a_tensor_that_is_scheduled_is_an_input_of_what_is_compiled(kind, arguments, name, runs):
    # RAdam takes another branch from its sixth step on; where torch gives up, it looks at that again.
    warm_up = 6 if (kind, name) == (RAdam, "weight_decay") else WARM_UP
    start = float(held(with_tensor(kind, arguments, name).param_groups[0], name))
    schedule = Anneal(start, start / 2, warm_up + EVENTS)
    backend, before = Counting(), []

    def trained(step_of=lambda optimizer: optimizer.step, scheduled=True):
        optimizer = with_tensor(kind, arguments, name)
        tensor = held(optimizer.param_groups[0], name)

        def check(index):
            assert held(optimizer.param_groups[0], name) is tensor
            assert tensor.item() == (schedule(index) if scheduled else start)
            if index == warm_up:
                before.append(backend.runs)

        schedulers = [ParamScheduler(optimizer, name, schedule=schedule)] if scheduled else []
        return train(optimizer, schedulers, step_of(optimizer), check, range(warm_up + EVENTS), warm_up)

    compiled = trained(lambda optimizer: torch.compile(lambda: optimizer.step(), backend=backend))
    assert backend.runs - before[0] == runs * EVENTS
    uncompiled = trained()
    # Muon's updates are bfloat16, and where alpha is a tensor the compiler multiplies them by it in that precision.
    tolerance = 2**-8 if (kind, name) == (Muon, "lr") else TOLERANCE
    assert largest_difference(compiled, uncompiled) <= tolerance
    assert largest_difference(uncompiled, trained(scheduled=False)) > 1e-3  # the schedule has an effect


PROMISED = [(kind, "lr") for kind, _, name, _ in CASES + MORE if name == "lr" and kind is not Muon]


@for_each(("kind", "argument"), [*PROMISED, (Adam, "betas"), (AdamW, "betas")], ids=ids)
def test_torch_promises_to_take_these_as_tensors(kind, argument):
    assert "Tensor" in str(inspect.signature(kind).parameters[argument].annotation)


def test_both_betas_must_be_tensors():
    optimizer = with_tensor(Adam, {}, "betas[0]")
    mixed = (torch.tensor(0.9), 0.999)
    with pytest.raises(ValueError, match="betas must be either both floats or both Tensors"):
        Adam(params_of(optimizer), betas=mixed)
