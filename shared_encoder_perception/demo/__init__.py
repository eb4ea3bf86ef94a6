# SPDX-License-Identifier: Apache-2.0
"""The main job in one command: a player, the node and a recorder as real ROS 2 processes."""
