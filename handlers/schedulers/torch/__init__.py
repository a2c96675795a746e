"""The handler ``LRScheduler``, which wraps torch's own schedulers, and the modules that it needs."""

from . import lengths as lengths  # the import registers the lengths and phases of torch's schedulers
