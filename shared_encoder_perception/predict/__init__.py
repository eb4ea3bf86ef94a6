# SPDX-License-Identifier: Apache-2.0
"""``predict``: images, videos and bags without ROS, of one camera or a rig; what it writes."""
