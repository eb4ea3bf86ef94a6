# SPDX-License-Identifier: Apache-2.0
"""The task foreground: what was not there in a picture of the empty place."""
