"""Offline side: data, targets, losses, trainer, export. Never imports ROS."""
