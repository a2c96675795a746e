"""The base classes of schedulers. A scheduler consists of a schedule, a target and an event index."""
