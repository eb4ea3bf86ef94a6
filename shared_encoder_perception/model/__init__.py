# SPDX-License-Identifier: Apache-2.0
"""The network (torch): encoder, neck, heads, deploy wrapper. Never imports ROS."""
