"""Torch's own schedulers, wrapped."""

from . import lengths as lengths  # the import registers the lengths and phases of torch's schedulers
