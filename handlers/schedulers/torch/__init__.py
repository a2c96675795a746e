"""Torch's own schedulers, wrapped."""

from . import lengths as lengths  # registers the ends and the phases of torch's schedulers
