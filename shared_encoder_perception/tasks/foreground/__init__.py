"""The task foreground: what was not there in a picture of the empty place."""
