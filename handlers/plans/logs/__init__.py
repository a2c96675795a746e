"""Reads the values that runs have logged, from the files of common loggers."""
