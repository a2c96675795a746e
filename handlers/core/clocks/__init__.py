"""Clocks, which define what the event index of a scheduler counts: events, tokens, samples or time."""
