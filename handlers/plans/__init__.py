"""The whole plan of a run: seen, checked, compared and drawn before it begins."""

from .check_plan import check_plan
from .dry_run import dry_run
from .findings import Finding, Findings
from .plan import Plan

__all__ = ["Finding", "Findings", "Plan", "check_plan", "dry_run"]
