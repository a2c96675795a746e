"""Targets: the objects that write a scheduler's values to param groups, engine states and data loaders."""
