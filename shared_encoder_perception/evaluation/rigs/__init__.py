"""Scores of what is answered of a whole rig: ``evaluate --rigs``."""
