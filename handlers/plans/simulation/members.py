"""Which data loaders a scheduler writes to."""

from typing import Any

from torch.utils.data import DataLoader

from lehr.handlers.core.inspection import members_of
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedulers.batch_size import BatchSizeScheduler


def loaders_of(scheduler: BaseParamScheduler) -> "list[DataLoader[Any]]":
    """The data loaders that a scheduler writes to."""
    return [member.dataloader for member in members_of(scheduler) if isinstance(member, BatchSizeScheduler)]
