# SPDX-License-Identifier: Apache-2.0
"""The node for a rig under steady load, and cameras that are unplugged and come back."""
