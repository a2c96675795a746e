"""Checks that schedulers keep the ratios of param groups that differ before training."""

from collections.abc import Iterator

import numpy as np

from lehr.handlers.core.for_plans_and_cli import base_values_of, members_of, target_of, type_name_of

from .checked_run import CheckedRun, values_text
from .findings import Finding


def flattened_groups(checked: CheckedRun) -> Iterator[Finding]:
    """Find param groups with different values that get one value, so that their ratios are lost."""
    for scheduler in checked.run.schedulers:
        if not len(scheduler.event_iterations):
            continue
        for original, copied in zip(members_of(scheduler.original), members_of(scheduler.copy), strict=True):
            base_values = base_values_of(original)
            if len(set(base_values)) < 2 or original.schedule.groups is not None:
                continue
            written = target_of(copied).read()
            if len(set(written)) > 1:  # the schedule is a function that returns a list
                continue
            one_each = "give a list with one value for each group"
            suggestion = f"pass relative=True, so that values are factors of each group's own value; or {one_each}"
            is_dialect = "." in type_name_of(scheduler.original)
            low, high = min(base_values), max(base_values)
            yield Finding(
                "groups-flattened",
                "warning",
                f"{original.param_name!r}: {scheduler.description}",
                f"the param groups have {values_text(np.array(base_values))}, and one value is written to all of them",
                one_each if is_dialect else suggestion,
                {"lowest": low, "highest": high, "groups": len(base_values)},
            )
