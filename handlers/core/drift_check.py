"""Whether schedulers are the same on all ranks of a distributed run."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine

from lehr.handlers.schedules import arguments

from .scheduler import BaseParamScheduler


class DriftCheck:
    """A handler that raises an error on every rank if schedulers differ from rank to rank.

    It compares their states, and the values that now stand where they write, by one number of 8 bytes that the ranks
    exchange: cheap enough for each epoch. On a run of one rank it does nothing.

    Args:
        schedulers: one or more.

    Raises:
        TypeError: ``schedulers`` is no list or tuple of schedulers.
        ValueError: there are none.
        RuntimeError: at the event, on every rank, they differ; it says how on each rank.

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
        self.schedulers = arguments.listed("schedulers", schedulers)
        if not schedulers:
            raise ValueError(f"schedulers must be one or more, given {schedulers!r}")
        for at, scheduler in enumerate(schedulers):
            if not isinstance(scheduler, BaseParamScheduler):
                raise TypeError(f"schedulers[{at}] must be a scheduler, given {scheduler!r}")

    def __call__(self, engine: Engine | None = None) -> None:
        """Compare; all ranks must call it at the same time."""
        if idist.get_world_size() == 1:
            return
        own = json.dumps(list(map(_compared, self.schedulers)))
        digest = hashlib.blake2b(own.encode(), digest_size=8).digest()
        mine = torch.tensor([int.from_bytes(digest, "big", signed=True)])
        gathered: Any = idist.all_gather(mine)
        if len(set(gathered.tolist())) == 1:
            return
        # All ranks have seen the same numbers, and so come here together.
        gathered = idist.all_gather(own)
        lines = [f"  rank {rank}: {shown}" for rank, shown in enumerate(_shown(list(map(json.loads, gathered))))]
        raise RuntimeError("schedulers must be the same on all ranks, but differ:\n" + "\n".join(lines))


def _compared(scheduler: BaseParamScheduler) -> dict[str, Any]:
    """What must be the same everywhere: the state, and what now stands where the scheduler writes."""
    state = scheduler.state_dict()
    state.pop("metric", None)  # which a rank is still to give to the next event, and which is reduced then
    try:
        return {**state, "held": scheduler._target.read()}
    except ValueError:  # a group was added that lacks the parameter, or is refused: the next event says so
        return {**state, "held": None}


def _shown(ranks: list[list[dict[str, Any]]]) -> list[str]:
    """For each rank the schedulers that differ: where they are, what they hold, and what else differs."""
    lines: list[list[str]] = [[] for _ in ranks]
    for states in zip(*ranks, strict=True):
        differ = [key for key in states[0] if len({json.dumps(state.get(key)) for state in states}) > 1]
        for line, state in zip(lines, states if differ else [], strict=False):
            line.append(f"{state['param_name']!r} at event {state['event_index']} with {state['held']}")
            line += [f"{key} {state[key]}" for key in differ if key not in ("event_index", "held", "value")]
    return ["; ".join(line) for line in lines]
