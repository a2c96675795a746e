"""Names that are misspelt: type checkers refuse them, although packages import their names when they are first used."""

import lehr
import lehr.handlers
from lehr import handler  # type: ignore[attr-defined]
from lehr.handlers import OneCycleSchedular, OneCycleScheduler, dry_run, dry_runs  # type: ignore[attr-defined]
from lehr.handlers.config import configure_schedular, configure_scheduler  # type: ignore[attr-defined]
from lehr.handlers.schedules import OneCycel, OneCycle  # type: ignore[attr-defined]

misspelt = [
    handler,
    OneCycleSchedular,
    dry_runs,
    configure_schedular,
    OneCycel,
    lehr.engines,  # type: ignore[attr-defined]
    lehr.handlers.PieceWiseLinear,  # type: ignore[attr-defined]
]
right = [OneCycleScheduler, dry_run, configure_scheduler, OneCycle, lehr.handlers.PiecewiseLinear]
