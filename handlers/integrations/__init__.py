"""Schedulers in trainers other than ignite. Each module imports its framework, and is imported only on demand."""
