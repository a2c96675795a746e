"""Simulated runs: the events of a run, and the values that its schedulers write at them."""
