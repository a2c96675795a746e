"""The checks of ``check_plan``, and the findings that they give."""
