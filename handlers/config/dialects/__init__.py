"""The names and arguments of each library whose configs are read, one file a library."""
