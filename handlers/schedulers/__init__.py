"""The schedulers that users name: each class has a signature and a docstring, and chooses a schedule."""
