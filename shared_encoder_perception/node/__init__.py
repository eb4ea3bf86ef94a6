# SPDX-License-Identifier: Apache-2.0
"""Everything that exists only because there is a ROS node.

``python -m shared_encoder_perception.node`` starts it.
"""
