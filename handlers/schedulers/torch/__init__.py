"""The handler ``LRScheduler``, which wraps torch's own schedulers, and its helper modules."""

from . import lengths as lengths  # the import registers the lengths and phases of torch's schedulers
