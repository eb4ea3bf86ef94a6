"""Public data sets and our own, as one type of labelled frame."""
