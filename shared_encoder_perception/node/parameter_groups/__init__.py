"""The rows of the parameter table, one file for each group of names."""
