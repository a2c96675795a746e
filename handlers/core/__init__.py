"""The scheduler: a schedule, a target and an event index, and what works on these three."""
