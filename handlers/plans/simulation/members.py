"""Who writes for a scheduler, and to which optimizers and data loaders."""

from collections.abc import Sequence
from typing import Any

from torch.utils.data import DataLoader

from lehr.handlers.core.param_scheduler import ParamScheduler
from lehr.handlers.core.scheduler import BaseParamScheduler
from lehr.handlers.schedulers.batch_size import BatchSizeScheduler
from lehr.handlers.schedulers.param_group_scheduler import ParamGroupScheduler


def writers_of(scheduler: BaseParamScheduler) -> Sequence[BaseParamScheduler]:
    """Those who write for a scheduler: one for each of its members, or itself."""
    return scheduler._writers if isinstance(scheduler, ParamGroupScheduler) else [scheduler]


def optimizers_of(scheduler: BaseParamScheduler) -> set[int]:
    """The optimizers that a scheduler writes to, by their ids."""
    return {id(writer.optimizer) for writer in writers_of(scheduler) if isinstance(writer, ParamScheduler)}


def loaders_of(scheduler: BaseParamScheduler) -> "list[DataLoader[Any]]":
    """The data loaders that a scheduler writes to."""
    return [writer.dataloader for writer in writers_of(scheduler) if isinstance(writer, BatchSizeScheduler)]
