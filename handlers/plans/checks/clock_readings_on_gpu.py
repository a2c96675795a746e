"""Checks that clocks do not slow down a run by waiting for a GPU or for other ranks."""

from collections.abc import Iterator
from itertools import chain

import ignite.distributed as idist
import torch

from lehr.handlers.core.clocks.token_and_sample_clocks import TokenClock
from lehr.handlers.core.for_plans_and_cli import members_of
from lehr.handlers.plans.simulation.handler_discovery import AttachedHandler

from .checked_run import CheckedRun
from .findings import Finding


def waiting_for_readings(checked: CheckedRun) -> Iterator[Finding]:
    """Find clocks without a lag, which wait for a GPU or for other ranks at each iteration."""
    run, ranks = checked.run, idist.get_world_size()
    for handler in chain(run.handlers, run.unsupported):
        if handler.clocked is None or not handler.writes or not isinstance(handler.clocked.clock, TokenClock):
            continue
        clock = handler.clocked.clock
        if clock.lag or (ranks == 1 and not _is_on_gpu(handler)):
            continue
        waits_for = f"the other {ranks - 1} ranks" if ranks > 1 else "the GPU, if tokens_of returns a tensor on it"
        message = f"the clock waits at each iteration for {waits_for}"
        suggestion = (
            f"{type(clock).__name__}(..., lag=2) reads each tensor two iterations later, when it has arrived; or count "
            "on the CPU, such as by the shape of the batch"
        )
        where = f"{handler.owner.param_name!r}: {type(handler.owner).__name__} on {handler.event_text}"
        yield Finding("reads-gpu", "info", where, message, suggestion, {"lag": 0, "ranks": ranks})


def _is_on_gpu(handler: AttachedHandler) -> bool:
    """Return whether a scheduler's optimizer trains parameters that are not on the CPU."""
    members = members_of(handler.owner)
    groups = [group for member in members for group in getattr(member, "optimizer_param_groups", ())]
    tensors = (one for group in groups for one in group.get("params", ()) if isinstance(one, torch.Tensor))
    return any(one.device.type != "cpu" for one in tensors)
