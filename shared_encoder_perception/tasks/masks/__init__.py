# SPDX-License-Identifier: Apache-2.0
"""What tasks have in common whose answer is a mask: yes or no for each pixel."""
