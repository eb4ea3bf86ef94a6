# SPDX-License-Identifier: Apache-2.0
"""Offline side: data, targets, losses, trainer, export. Never imports ROS."""
