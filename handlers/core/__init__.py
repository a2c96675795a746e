"""The scheduler, which joins a schedule, a target and an event index, and the functions that work on these three."""
