"""The checks of ``check_plan``, and their findings."""
