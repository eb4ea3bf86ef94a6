# SPDX-License-Identifier: Apache-2.0
"""A model learns from where a vehicle drove, and is only let go if it has forgotten nothing."""
