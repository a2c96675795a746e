"""Torch's own schedulers, wrapped."""
