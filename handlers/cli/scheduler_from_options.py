"""Makes the optimizer and the scheduler that the options of a command describe."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lehr.handlers.config.configure import configure_scheduler
from lehr.handlers.config.stated_run_length import stated_run
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedules import RunLength
from lehr.handlers.schedules.arguments import shown
from lehr.handlers.targets.param_groups import HasParamGroups

from .parsing import config_of, pairs_of
from .sgd_without_torch import PlainSGD, is_legal_for_sgd

if TYPE_CHECKING:
    from torch.optim import Optimizer

MOST_GROUPS = 1000
TUPLES = ("betas", "etas", "step_sizes")  # for these names, a list is one value for all param groups


def make_optimizer(options: Mapping[str, Any]) -> "Optimizer":
    """Return the optimizer that the options describe, with one parameter in each param group.

    Raises:
        TypeError, ValueError, ImportError: see :func:`configure_optimizer`.
        ValueError: there are too many groups, or a list does not have a value for each group.
    """
    import torch

    from lehr.engine.optimizer_from_config import configure_optimizer

    groups, initial = _groups_of(options)
    with_params = [{"params": [torch.nn.Parameter(torch.zeros(1))], **group} for group in groups]
    return configure_optimizer(options["optimizer"], with_params, **initial)


def make_param_groups(options: Mapping[str, Any]) -> HasParamGroups:
    """Return the optimizer of the options, or a :class:`PlainSGD`, which has the same groups and needs no torch.

    Raises:
        TypeError, ValueError, ImportError: see :func:`make_optimizer`.
    """
    groups, initial = _groups_of(options)
    given = [value for part in (initial, *groups) for value in part.items()]
    if options["optimizer"] == "SGD" and all(is_legal_for_sgd(key, value) for key, value in given):
        return PlainSGD(groups, initial)
    return make_optimizer(options)  # if the options are wrong, this call raises the error


def _groups_of(options: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return a dictionary for each param group with its own values, and a dictionary of values for all groups."""
    number = options["groups"]
    if number > MOST_GROUPS:
        raise ValueError(f"--groups must be at most {MOST_GROUPS}, given {number}")
    groups: list[dict[str, Any]] = [{} for _ in range(number)]
    initial = {"lr": 0.1, **pairs_of("--initial", options["initial"])}
    if "params" in initial:
        raise ValueError(
            f"--initial must not have params, since each group has its own params, given {shown(initial['params'])}"
        )
    for key, value in initial.items():
        if isinstance(value, list) and key in TUPLES:
            initial[key] = tuple(value)
        elif isinstance(value, list):
            if len(value) != number:
                raise ValueError(f"--initial {key} must have {number} values, one for each group, given {shown(value)}")
            for group, own in zip(groups, value, strict=True):
                group[key] = own
            initial[key] = value[0]
    return groups, initial


def with_stated_length(
    options: Mapping[str, Any], *sources: tuple[str, tuple[str, ...], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Return the options. If they have no length of the run, add the length that the configs contain.

    Args:
        options: the options, with ``max_epochs``, ``max_steps`` and ``epoch_length``.
        sources: the source, the arguments and the options of each config.

    Raises:
        TypeError, ValueError, ImportError, FileNotFoundError: see :func:`configure_scheduler`.
        ValueError: the configs contain different lengths.
    """
    if options["max_epochs"] is not None or options["max_steps"] is not None:
        return options
    length, found = options["epoch_length"], []
    for source, given, own in sources:
        run = stated_run(config_of(source, given), epoch_length=length, dialect=own["dialect"], section=own["section"])
        if run.max_epochs is not None or run.total_steps is not None:
            found.append((source, run))
    if len({_in_words(run) for _, run in found}) > 1:
        each = " and ".join(f"{_in_words(run)} in {shown(source)}" for source, run in found)
        raise ValueError(f"--max-steps must be set if two configs have runs of different lengths, given {each}")
    for _, run in found:
        return {**options, "max_epochs": run.max_epochs, "max_steps": run.total_steps}
    return options


def _in_words(run: RunLength) -> str:
    return f"{run.max_epochs} epochs" if run.steps is None else f"{run.steps} steps"


def make_scheduler(
    source: str,
    given: tuple[str, ...],
    options: Mapping[str, Any],
    make: Callable[[Mapping[str, Any]], HasParamGroups] = make_param_groups,
) -> BaseParamScheduler:
    """Return the scheduler that a file describes, or a type with its arguments.

    Args:
        source: the type or the file.
        given: the arguments of the type.
        options: the options of the command.
        make: the function that makes the optimizer of the options.

    Raises:
        TypeError, ValueError, ImportError, FileNotFoundError: see :func:`configure_scheduler`.
        ValueError: the options contradict one another.
    """
    in_epochs, epoch_length = options["in_epochs"], options["epoch_length"]
    if in_epochs and epoch_length is None:
        raise ValueError("--epoch-length must be set with --in-epochs, given none")
    if in_epochs and options.get("event") == "epoch":
        raise ValueError("--in-epochs must not be set with --event epoch, because each event is an epoch anyway")
    optimizer, config = make(options), config_of(source, given)
    return configure_scheduler(
        optimizer,
        config,
        param_name=options["param_name"],
        epoch_length=epoch_length if in_epochs else None,
        max_epochs=options["max_epochs"],
        total_steps=options.get("total_steps"),
        dialect=options["dialect"],
        section=options["section"],
    )
