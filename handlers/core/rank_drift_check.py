"""A check that schedulers are equal on all ranks of a distributed run."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine

from lehr.handlers.schedules import arguments

from .scheduler import BaseParamScheduler

MOST_LINES = 4  # the error has at most this many lines


class DriftCheck:
    """A handler that raises an error on every rank if schedulers differ from rank to rank.

    It compares the states of the schedulers and the present values of their targets. The ranks exchange one number of 8
    bytes, which is cheap enough for each epoch. With one rank it does nothing.

    Args:
        schedulers: one or more schedulers.

    Raises:
        TypeError: ``schedulers`` is not a list or tuple of schedulers.
        ValueError: ``schedulers`` is empty.
        RuntimeError: the schedulers differ. Every rank raises this error, which lists the differences of all ranks.

    Example:
        >>> from ignite.engine import Events
        >>> from lehr.handlers import ParamScheduler
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> lr = ParamScheduler(optimizer, "lr", schedule=lambda event_index: 0.5**event_index)
        >>> trainer = Engine(lambda engine, batch: None)
        >>> _ = lr.attach(trainer)
        >>> _ = trainer.add_event_handler(Events.EPOCH_COMPLETED, DriftCheck([lr]))
        >>> _ = trainer.run([None] * 4, max_epochs=2)
    """

    def __init__(self, schedulers: Sequence[BaseParamScheduler]) -> None:
        self.schedulers: list[BaseParamScheduler] = arguments.listed("schedulers", schedulers)
        if not schedulers:
            raise ValueError(f"schedulers must be one or more, given {arguments.shown(schedulers)}")
        for at, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, BaseParamScheduler):
                raise TypeError(f"schedulers[{at}] must be a scheduler, given {arguments.shown(scheduler)}")

    def __call__(self, engine: Engine | None = None) -> None:
        """Compare the schedulers of all ranks. All ranks must call the check at the same event."""
        if idist.get_world_size() == 1:
            return
        own = json.dumps(list(map(_compared, self.schedulers)))
        digest = hashlib.blake2b(own.encode(), digest_size=8).digest()
        mine = torch.tensor([int.from_bytes(digest, "big", signed=True)])
        gathered: Any = idist.all_gather(mine)
        if len(set(gathered.tolist())) == 1:
            return
        # All ranks see the same numbers, so all of them reach this line.
        gathered = idist.all_gather(own)
        lines = _lines(_shown(list(map(json.loads, gathered))))
        raise RuntimeError("schedulers must be the same on all ranks, but differ:\n" + "\n".join(lines))


def _compared(scheduler: BaseParamScheduler) -> dict[str, Any]:
    """Return the data that must be equal on all ranks: the state, and the present values of the target."""
    state = scheduler.state_dict()
    state.pop("metric", None)  # each rank has its own metric, and the next event combines the metrics
    try:
        return {**state, "held": scheduler._target.read()}
    except ValueError:  # an added group lacks the parameter or is not allowed; the next event raises the error
        return {**state, "held": None}


def _shown(ranks: list[list[dict[str, Any]]]) -> list[str]:
    """Return a text for each rank that describes the rank's schedulers, but only schedulers that differ."""
    if len({len(states) for states in ranks}) > 1:
        return [_names(states) for states in ranks]
    lines: list[list[str]] = [[] for _ in ranks]
    for states in zip(*ranks, strict=True):
        keys = dict.fromkeys(key for state in states for key in state)
        differ = [key for key in keys if len({json.dumps(state.get(key)) for state in states}) > 1]
        for line, state in zip(lines, states if differ else [], strict=False):
            line.append(f"{state['param_name']!r} at event {state['event_index']} with {state['held']}")
            line += [f"{key} {state.get(key)}" for key in differ if key not in ("event_index", "held", "value")]
    return ["; ".join(line) for line in lines]


def _names(states: list[dict[str, Any]]) -> str:
    """Return a string with the number and the names of a rank's schedulers."""
    number = "1 scheduler" if len(states) == 1 else f"{len(states)} schedulers"
    return f"{number}: {', '.join(str(state['scheduler']) + ' of ' + repr(state['param_name']) for state in states)}"


def _lines(shown: list[str]) -> list[str]:
    """Return a line for each rank. If there are many ranks, join ranks with the same text, and keep a few lines."""
    ranks: dict[str, list[str]] = {}
    for rank, text in enumerate(shown):
        ranks.setdefault(text if len(shown) > MOST_LINES else f"{rank} {text}", []).append(str(rank))
    found = [(ranks_of, shown[int(ranks_of[0])]) for ranks_of in ranks.values()]
    found.sort(key=lambda line: len(line[0]))  # the ranks that differ from most others come first
    found = sorted(found[:MOST_LINES], key=lambda line: int(line[0][0]))
    length = 420 // len(found)
    return [
        arguments.shown_text(
            f"  rank{'s' * (len(ranks_of) > 1)} {arguments.shown_text(', '.join(ranks_of), 30)}: {text}", length
        )
        for ranks_of, text in found
    ]
