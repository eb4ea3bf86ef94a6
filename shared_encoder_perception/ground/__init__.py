# SPDX-License-Identifier: Apache-2.0
"""Cameras above a flat road: how they see it, in the frame of the vehicle."""
