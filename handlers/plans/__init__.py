"""Plans of whole runs: computes, checks, compares and draws the values of schedulers before a run starts."""

from .audit_log import audit_log
from .audit_result import Audit, LoggedDifference
from .check_plan import check_plan
from .checks.findings import Finding, Findings
from .diff_plans import Difference, PlanDiff, diff_plans
from .dry_run import dry_run
from .logs.log import Log
from .logs.read_log import read_log
from .plan import Plan
from .plot_plan import plot_plan

__all__ = [
    "Audit",
    "Difference",
    "Finding",
    "Findings",
    "Log",
    "LoggedDifference",
    "Plan",
    "PlanDiff",
    "audit_log",
    "check_plan",
    "diff_plans",
    "dry_run",
    "plot_plan",
    "read_log",
]
