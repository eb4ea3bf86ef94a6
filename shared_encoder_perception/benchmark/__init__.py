# SPDX-License-Identifier: Apache-2.0
"""What an image costs here: engines, models and other people's networks, measured in one run."""
