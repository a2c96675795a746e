"""Simulations, which compute the values that a scheduler will write, and do not change the training."""
