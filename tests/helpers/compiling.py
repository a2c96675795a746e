"""Training whose optimizer steps are compiled, and must not be compiled again."""

import inspect
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import torch
from ignite.engine import Engine

EVENTS = 100
# At the first event torch compiles, for the optimizer's state is made while it traces; at the second one SGD's momentum
# buffers are there, which is another graph.
WARM_UP = 2
# Under the compiler torch takes another branch of Adam and its kin than it does on a CPU (capturable), and multiplies
# in another order where alpha is a tensor. In double precision that makes no more of a difference.
TOLERANCE = 1e-12

Step = Callable[[], Any]


class Counting:
    """A backend that runs graphs as they are, so that it needs no C++ compiler; it counts them, and their runs.

    Those without an operation are left out: torch makes such where it gives up.
    """

    def __init__(self) -> None:
        self.graphs = self.runs = 0

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        if not any(node.op.startswith("call") for node in graph.graph.nodes):
            return graph
        self.graphs += 1

        def run(*args: torch.Tensor) -> Any:
            self.runs += 1
            return graph(*args)

        return run


def no_recompilation() -> Any:
    """Where anything that is not compiled yet is an error."""
    return torch.compiler.set_stance("fail_on_recompile")


def params_of_a_group() -> list[torch.nn.Parameter]:
    """The same ones each time; two of them, and matrices, since Muon takes no others."""
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 2), (2, 2))]


def with_tensor(kind: type[torch.optim.Optimizer], arguments: dict[str, Any], name: str) -> torch.optim.Optimizer:
    """An optimizer that has one of its arguments, or its default, as a tensor; a tuple as one of tensors."""
    key, _, item = name.partition("[")
    if key == "momentum" and "betas" in inspect.signature(kind).parameters:
        key, item = "betas", "0]"
    value = arguments.get(key, inspect.signature(kind).parameters[key].default)
    tensors = tuple(map(torch.tensor, value)) if item else torch.tensor(value)
    return kind(params_of_a_group(), **{**arguments, key: tensors})


def held(group: dict[str, Any], name: str) -> Any:
    """What a param group has under a name."""
    key, _, item = name.rstrip("]").partition("[")
    if key == "momentum" and "betas" in group:
        return group["betas"][0]
    return group[key][int(item)] if item else group[key]


def params_of(optimizer: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    return [param for group in optimizer.param_groups for param in group["params"]]


def train(
    optimizer: torch.optim.Optimizer,
    schedulers: Iterable[Any],
    step: Step | None = None,
    check: Callable[[int], None] = lambda index: None,
    batches: Iterable[int] = range(WARM_UP + EVENTS),
    warm_up: int = WARM_UP,
    attach: Callable[[Any, Engine], Any] = lambda scheduler, trainer: scheduler.attach(trainer),
) -> list[torch.Tensor]:
    """Train on random gradients, the same ones for the same batch, and give the params.

    Args:
        optimizer: what is trained with.
        schedulers: what is attached to the trainer.
        step: what takes a step; the optimizer's own if left out.
        check: what to look at before the step of each event, given its index.
        batches: the numbers of the batches.
        warm_up: the events after which nothing may be compiled any more.
        attach: how each of the schedulers is attached.
    """
    params = params_of(optimizer)
    step = step or optimizer.step

    def update(engine: Engine, batch: int) -> None:
        generator = torch.Generator().manual_seed(batch)
        for param in params:
            if param.grad is None:
                param.grad = torch.zeros_like(param)
            param.grad.copy_(torch.randn(param.shape, generator=generator))
        check(batch)
        with no_recompilation() if engine.state.iteration > warm_up else nullcontext():
            step()

    trainer = Engine(update)
    for scheduler in schedulers:
        attach(scheduler, trainer)
    trainer.run(list(batches), max_epochs=1)
    return [param.detach().clone() for param in params]


def largest_difference(some: list[torch.Tensor], others: list[torch.Tensor]) -> float:
    return max(float((one - other).abs().max()) for one, other in zip(some, others, strict=True))
