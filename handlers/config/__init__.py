"""Schedulers from the configs of lehr and of other libraries."""

from .configure import configure_scheduler
from .conversion import convert_config

__all__ = ["configure_scheduler", "convert_config"]
