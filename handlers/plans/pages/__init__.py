"""Writes interactive pages that show plans in a browser."""
