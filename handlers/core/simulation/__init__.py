"""Simulations, which compute the values that a scheduler will write, without a change of the training."""
