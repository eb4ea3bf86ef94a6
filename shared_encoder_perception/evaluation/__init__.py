"""Scoring: one set of numpy metrics for training, comparison and replay. Needs neither ROS nor torch."""
