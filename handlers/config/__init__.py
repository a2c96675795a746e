"""Schedulers from the configs of lehr and of other libraries."""

from .configure import configure_scheduler

__all__ = ["configure_scheduler"]
