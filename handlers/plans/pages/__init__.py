"""Interactive pages of plans, for a browser."""
