"""Other people's data sets, one module for each format."""
