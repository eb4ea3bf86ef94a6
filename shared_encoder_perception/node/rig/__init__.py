# SPDX-License-Identifier: Apache-2.0
"""The node for a rig: several cameras of one vehicle in, the ground around it out.

``python -m shared_encoder_perception.node.rig`` starts it.
"""
