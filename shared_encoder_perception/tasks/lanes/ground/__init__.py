# SPDX-License-Identifier: Apache-2.0
"""Lane lines on the road: projection, its errors, and what lanes teach about the camera's pose."""
