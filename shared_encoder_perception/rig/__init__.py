# SPDX-License-Identifier: Apache-2.0
"""Several calibrated cameras of one vehicle, and the ground around it that they see together.

All in the vehicle's frame (REP-103: x ahead, y left, z up, metres; z = 0 is the ground), and every
map in one memory layout, from label to message: that of ``nav_msgs/OccupancyGrid``, rows are y,
columns are x, both rising. Nothing is ever flipped or turned but in pictures for people, by one
function (``BevGrid.picture``).
"""
