"""Where values go: the parameters of param groups, and other places that hold numbers."""
