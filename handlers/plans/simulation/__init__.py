"""Simulates runs: fires the events of a run for copies of its schedulers, and records the values that they write."""
