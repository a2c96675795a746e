"""The named schedulers: each class has a signature and a docstring, and chooses a schedule."""
