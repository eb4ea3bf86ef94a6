"""Questions that images are asked: a room for each."""
