"""The named schedulers: each a signature, a docstring and a schedule."""
