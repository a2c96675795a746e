"""Simulations: the values that a scheduler will write, computed without a change of the training."""
