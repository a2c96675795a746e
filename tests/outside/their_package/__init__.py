"""A user's package on top of lehr."""
