"""The checks that ``check_plan`` makes, and the findings that they return."""
