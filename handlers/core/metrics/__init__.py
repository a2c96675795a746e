"""Metrics that drive schedulers: classes that read metrics, and functions that find the handlers that pass metrics."""
