"""Building blocks of networks, for every task's heads."""
