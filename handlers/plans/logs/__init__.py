"""What runs have logged: values at steps, read from the files of common loggers."""
