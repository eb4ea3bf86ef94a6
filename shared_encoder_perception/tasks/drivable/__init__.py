# SPDX-License-Identifier: Apache-2.0
"""The task drivable_surface: where the vehicle may drive, a mask of the source image's size."""
