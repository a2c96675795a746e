"""Plans of whole runs: computed, checked, compared and drawn before the run starts."""

from .check_plan import check_plan
from .checks.findings import Finding, Findings
from .diff_plans import Difference, PlanDiff, diff_plans
from .dry_run import dry_run
from .plan import Plan
from .plot_plan import plot_plan

__all__ = [
    "Difference",
    "Finding",
    "Findings",
    "Plan",
    "PlanDiff",
    "check_plan",
    "diff_plans",
    "dry_run",
    "plot_plan",
]
