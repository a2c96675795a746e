"""Converts configs of one library to configs of another library."""

from .convert import convert_config

__all__ = ["convert_config"]
