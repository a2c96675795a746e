"""Names that are misspelt: type checkers refuse them, although packages import their names when they are first used."""

import lehr
import lehr.handlers
from lehr import handler  # type: ignore[attr-defined]
from lehr.handlers import OneCycleSchedular, dry_runs  # type: ignore[attr-defined]
from lehr.handlers.config import configure_schedular  # type: ignore[attr-defined]
from lehr.handlers.schedules import OneCycel  # type: ignore[attr-defined]

lehr.engines  # type: ignore[attr-defined]
lehr.handlers.PieceWiseLinear  # type: ignore[attr-defined]

# Right: what the same packages have.
from lehr.handlers import OneCycleScheduler, dry_run  # noqa: E402
from lehr.handlers.config import configure_scheduler  # noqa: E402
from lehr.handlers.schedules import OneCycle  # noqa: E402

print(OneCycleScheduler, dry_run, configure_scheduler, OneCycle)
