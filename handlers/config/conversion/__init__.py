"""Configs of one library as configs of another one."""

from .convert import convert_config

__all__ = ["convert_config"]
