"""The whole plan of a run: seen, checked, compared and drawn before it begins."""

from .dry_run import dry_run
from .plan import Plan

__all__ = ["Plan", "dry_run"]
