"""The keyword arguments of the schedulers that reduce a value on a plateau, as types for type checkers."""

from typing import TYPE_CHECKING, Any, TypedDict

from lehr.handlers.schedules.arguments import Number
from lehr.handlers.targets.group_selection import Selection

if TYPE_CHECKING:
    from ignite.engine import Engine


class PlateauRule(TypedDict, total=False):
    """The arguments that have the same names in both plateau schedulers."""

    mode: str
    factor: float
    patience: int
    threshold: float
    threshold_mode: str
    cooldown: int
    eps: float
    nan_policy: str
    missing_policy: str
    reduction: str
    relative: bool
    begin: int


class LRPlateauOptions(PlateauRule, total=False):
    """The arguments that ``ReduceLROnPlateauScheduler`` passes to its base class."""

    min_lr: Number
    initial_value: Number | None
    verbose: bool


class Ignored(TypedDict, total=False):
    """The arguments that have no effect in a simulation."""

    optimizer: Any
    metric_name: str
    trainer: "Engine | None"
    param_group_index: Selection
    save_history: bool


class PlateauArguments(PlateauRule, Ignored, total=False):
    """The arguments of ``ReduceOnPlateauScheduler`` for a simulation."""

    param_name: str
    min_value: Number
    initial_value: Number | None


class LRPlateauArguments(LRPlateauOptions, Ignored, total=False):
    """The arguments of ``ReduceLROnPlateauScheduler`` for a simulation."""
