"""Finds a learning rate by a range test with ignite's finder, and restores everything that the test changes."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from ignite.handlers import FastaiLRFinder
from torch.optim import Optimizer

from lehr.engine.optimizer_events import wrapped_optimizer
from lehr.handlers.core.trials.trainer_trial import Trial, is_running, optimizers_in
from lehr.handlers.schedules import arguments
from lehr.handlers.schedules.arguments import shown

from .range_test_result import LRRangeTest
from .trial_steps import TrialSteps, loss_reader

HIGHEST_SEED = 2**32 - 2**16  # NumPy's highest seed, minus room for the rank of a process, which is added to each seed


def find_lr(
    trainer: Engine,
    loader: Iterable[Any] | None,
    optimizer: Optimizer | None = None,
    *,
    start_lr: float = 1e-6,
    end_lr: float = 10.0,
    num_steps: int = 100,
    step_mode: str = "exp",
    seeds: int | Sequence[int] = 3,
    output_transform: Callable[[Any], Any] | None = None,
    diverge_th: float = 5.0,
    epoch_length: int | None = None,
    to_save: Mapping[str, Any] | None = None,
    keep_handlers: Sequence[Callable[..., Any]] = (),
) -> LRRangeTest:
    """Find a learning rate by a range test: train with ever higher learning rates until the loss diverges.

    ignite's ``FastaiLRFinder`` sets the learning rate of step ``i`` to ``start_lr * (end_lr / start_lr) ** (i / n)``,
    for ``i`` from 1 to ``n = num_steps``, and stops when the loss diverges. ``find_lr`` smooths the losses of several
    runs, and suggests the learning rate at which their median falls most steeply; see :class:`LRRangeTest`.

    **Afterwards everything is as it was before**, even if an error or Ctrl-C ends the test. The following states are
    restored in place, bit for bit: the parameters, gradients and buffers of the models; the optimizers; a
    ``GradScaler``; torch's and lehr's schedulers; the state of the trainer; the random states of Python, NumPy and
    torch; and the random states of the loader and its samplers. A resumed or interrupted run continues as if there had
    been no test. ``find_lr`` finds the objects that the training step uses. They may be models, variables, lists,
    dictionaries, or attributes of your own objects, such as a counter. If the training step changes other objects, pass
    them as ``to_save``. For example, pass objects of another library, and tensors of more than 1,000,000 numbers that
    belong to no model. The states of all objects are copied to the memory of the CPU.

    **The handlers of the trainer are not called**: no scheduler writes, no checkpoint is saved, nothing is logged or
    evaluated. If training needs a handler, such as one that clips gradients, name it in ``keep_handlers``.

    **The learning rate changes at the real steps** of the optimizer, even if the trainer accumulates gradients or a
    ``GradScaler`` skips a step. The trainer counts its iterations from 1. When the loader ends, the next epoch begins.
    The ratios between the learning rates of the param groups stay the same, and a learning rate of 0 stays 0. If all
    learning rates are 0, as at the beginning of a warm-up, the ratios of ``initial_lr`` are used. If every
    ``initial_lr`` is missing or 0, too, all groups get the same learning rate.

    Args:
        trainer: the trainer, which must not be running.
        loader: the data, over which the test iterates several times. If the training step makes its own data, give
            None, and give ``epoch_length``.
        optimizer: the optimizer for which to find a learning rate. You may leave it out if the training step uses only
            one.
        start_lr: the lowest learning rate of the first param group, more than 0.
        end_lr: the highest learning rate of the first param group.
        num_steps: steps of the optimizer in each run, at least 10.
        step_mode: ``"exp"``, or ``"linear"`` for equal distances between learning rates.
        seeds: the number of runs, which get the seeds 0, 1, ...; or a list with one seed for each run. Each run begins
            with the same models, and has its own random numbers and data order (if the loader shuffles).
        output_transform: a function that gets the output of the training step, and returns the loss, a number of at
            least 0. If None, the loss is the output itself, or the entry ``"loss"`` of an output that is a dictionary.
        diverge_th: a factor of at least 1. ignite's finder stops if the running mean of the loss is larger than this
            factor times the lowest running mean.
        epoch_length: iterations of an epoch. If None, it is the length of the loader.
        to_save: a mapping from names to other objects that the training step changes. Each object must have
            ``state_dict`` and ``load_state_dict``.
        keep_handlers: handlers of the trainer that are also called in the test.

    Returns:
        An :class:`LRRangeTest`: the curves, the suggestion with its reason, and a picture, ``result.plot()``.

    Raises:
        TypeError: an argument has the wrong type, such as a ``loader`` that can be read only once; or the loss is not a
            number.
        ValueError: an argument has a wrong value; or the training step refers to several optimizers, or to none.
        RuntimeError: the trainer is running; or the training step never steps the optimizer.

    The paper: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, https://arxiv.org/abs/1506.01186.

    Example:
        >>> import torch
        >>> from ignite.engine import create_supervised_trainer
        >>> _ = torch.manual_seed(0)
        >>> model = torch.nn.Linear(8, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> trainer = create_supervised_trainer(model, optimizer, torch.nn.functional.mse_loss)
        >>> x = torch.randn(64, 32, 8)
        >>> result = find_lr(trainer, list(zip(x, x.sum(2, keepdim=True))), seeds=1)
        >>> result
        <LRRangeTest of 1 run: lr 0.0417 suggested, diverges from 3.24 on>
        >>> optimizer.param_groups[0]["lr"], trainer.state.iteration
        (0.1, 0)
    """
    optimizer = _checked(trainer, optimizer, to_save, keep_handlers)
    if output_transform is not None and not callable(output_transform):
        raise TypeError(f"output_transform must be a function of the output, given {shown(output_transform)}")
    _check_loader(loader, epoch_length)
    start_lr = arguments.number("start_lr", start_lr, above=0)
    end_lr = arguments.number("end_lr", end_lr, above=start_lr)
    num_steps = arguments.whole_number("num_steps", num_steps, at_least=10)
    arguments.one_of("step_mode", step_mode, ("exp", "linear"))
    diverge_th = arguments.number("diverge_th", diverge_th, at_least=1)
    if epoch_length is not None:
        epoch_length = arguments.whole_number("epoch_length", epoch_length, at_least=1)
    seeds, ratios = _seeds(seeds), _ratios(optimizer)
    options: dict[str, Any] = {"num_iter": num_steps, "start_lr": start_lr, "end_lr": end_lr}
    options |= {"step_mode": step_mode, "diverge_th": diverge_th}
    runs = []
    trial = Trial(trainer, loader, optimizer, (to_save or {}).values(), keep_handlers)
    try:
        for seed in seeds:
            trial.begin(seed)
            steps = TrialSteps(
                trainer, loader, epoch_length, optimizer, ratios, start_lr, loss_reader(output_transform)
            )
            with steps:
                _run_finder(steps, options)
            runs.append(steps)
    finally:
        trial.restore()
    return _result(runs, seeds, ratios, num_steps)


def _run_finder(steps: TrialSteps, options: dict[str, Any]) -> None:
    """Run ignite's finder for one additional step, because its first two steps have the same learning rate."""
    engine = steps.engine
    with warnings.catch_warnings(), FastaiLRFinder().attach(engine, {"optimizer": steps.optimizer}, **options):
        # torch warns when older versions of ignite load a file that they have written themselves.
        warnings.filterwarnings("ignore", "You are using `torch.load`", FutureWarning)
        # The result says whether the loss has diverged, so the finder's own warning about it is not needed.
        engine.add_event_handler(Events.TERMINATE, engine.terminate, skip_completed=True)
        engine.run(range(options["num_iter"] + 1))


def _result(runs: list[TrialSteps], seeds: tuple[int, ...], ratios: list[float], num_steps: int) -> LRRangeTest:
    # The first two steps have the same learning rate. A run whose first loss is not finite has no second step.
    lrs = max((run.lrs[1:] or run.lrs for run in runs), key=len)
    losses = np.full((len(runs), len(lrs)), math.nan)
    for row, run in zip(losses, runs, strict=True):
        row[: len(run.losses) - 1] = run.losses[1:]
    losses[~np.isfinite(losses)] = math.nan
    return LRRangeTest(np.array(lrs), losses, seeds, tuple(ratios), num_steps)


def _ratios(optimizer: Optimizer) -> list[float]:
    """Return the lr of each param group, divided by the first lr that is not 0.

    If all lrs are 0, because a torch scheduler begins a warm-up, ``initial_lr`` replaces them. If these are 0, too, all
    ratios are 1.
    """
    own = [float(group["lr"]) for group in optimizer.param_groups]
    if not any(own):
        own = [float(group.get("initial_lr", 0)) for group in optimizer.param_groups]
    first = next((lr for lr in own if lr), None)
    return [1.0 if first is None else lr / first for lr in own]


def _seeds(seeds: Any) -> tuple[int, ...]:
    if isinstance(seeds, Sequence | np.ndarray) and not isinstance(seeds, str | bytes):
        if not len(seeds):
            raise ValueError(f"seeds must be a number of runs or a seed for each run, given {shown(seeds)}")
        for at, one in enumerate(seeds):
            arguments.number(f"seeds[{at}]", one, at_most=HIGHEST_SEED)
        return tuple(arguments.whole_number(f"seeds[{at}]", one, at_least=0) for at, one in enumerate(seeds))
    return tuple(range(arguments.whole_number("seeds", seeds, at_least=1)))


def _check_loader(loader: Any, epoch_length: int | None) -> None:
    if loader is None and epoch_length is not None:
        return  # the training step makes its own data
    if isinstance(loader, Iterator | type) or not hasattr(loader, "__iter__"):
        raise TypeError(f"loader must be an iterable that can be read more than once, given {shown(loader)}")


def _checked(trainer: Any, optimizer: Any, to_save: Any, keep_handlers: Any) -> Optimizer:
    """Check the arguments, and return the optimizer."""
    if not isinstance(trainer, Engine):
        raise TypeError(f"trainer must be an ignite Engine, given {shown(trainer)}")
    if is_running(trainer):
        raise RuntimeError("trainer must not be running: call find_lr before or after trainer.run, not in a handler")
    if not isinstance(to_save, Mapping | None):
        raise TypeError(f"to_save must be a mapping of names to objects, given {shown(to_save)}")
    for name, thing in (to_save or {}).items():
        if not (hasattr(thing, "state_dict") and hasattr(thing, "load_state_dict")):
            raise TypeError(f"to_save[{shown(name)}] must have state_dict and load_state_dict, given {shown(thing)}")
    if not isinstance(keep_handlers, Sequence):
        raise TypeError(f"keep_handlers must be a list of handlers of the trainer, given {shown(keep_handlers)}")
    for at, handler in enumerate(keep_handlers):
        if not trainer.has_event_handler(handler):
            raise ValueError(f"keep_handlers[{at}] must be a handler of the trainer, given {shown(handler)}")
    if optimizer is None:
        found = optimizers_in(trainer)
        if len(found) != 1:
            names = ", ".join(type(one).__name__ for one in found) or "none"
            raise ValueError(f"optimizer must be given unless the training step refers to exactly one, found {names}")
        return found[0]
    if not isinstance(wrapped_optimizer(optimizer), Optimizer):
        raise TypeError(f"optimizer must be a torch.optim.Optimizer, given {shown(optimizer)}")
    return wrapped_optimizer(optimizer)  # type: ignore[no-any-return]
