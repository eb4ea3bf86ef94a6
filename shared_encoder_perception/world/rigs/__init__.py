# SPDX-License-Identifier: Apache-2.0
"""The same worlds, seen by the cameras of a rig: any lens, any place on the vehicle, all round."""
