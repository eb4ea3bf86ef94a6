# SPDX-License-Identifier: Apache-2.0
"""The task depth: how far each pixel is, in metres, and how well that is known."""
