# SPDX-License-Identifier: Apache-2.0
"""The task semantic: what every pixel is, one of the classes of the model's table."""
