# SPDX-License-Identifier: Apache-2.0
"""The synthetic world: road geometry, paint, what stands around, and the dice."""
