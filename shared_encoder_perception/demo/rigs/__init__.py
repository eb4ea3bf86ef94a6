# SPDX-License-Identifier: Apache-2.0
"""The demo of a rig: several cameras through a town, the node for rigs, and the map it makes."""
