# SPDX-License-Identifier: Apache-2.0
"""The node under steady load, as real processes: latency, every image's fate, resources, limits."""
