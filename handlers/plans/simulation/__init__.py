"""A simulated run: the events of a run, and what its schedulers write at them."""
