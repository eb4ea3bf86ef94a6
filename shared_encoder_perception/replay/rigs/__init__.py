"""Bags with the cameras of a rig, replayed through the model: every moment, always the same."""
