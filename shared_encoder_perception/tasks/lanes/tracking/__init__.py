# SPDX-License-Identifier: Apache-2.0
"""Lanes followed from image to image: steadier lines, constant ids, short gaps bridged."""
