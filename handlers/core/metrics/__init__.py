"""Metrics that drive schedulers: how handlers pass them, how schedulers read them, and which handlers do so."""
