"""Resuming a run: saved states, resume policies, and events that are missed or repeated."""
