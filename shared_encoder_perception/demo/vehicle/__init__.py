# SPDX-License-Identifier: Apache-2.0
"""The demo of a whole vehicle: every question that is answered, of one drive, by two nodes."""
