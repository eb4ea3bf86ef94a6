"""Bags replayed through the model, in process: every image, no middleware, always the same."""
