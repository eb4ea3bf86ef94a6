# SPDX-License-Identifier: Apache-2.0
"""The ground around a vehicle, as all its cameras see it together: vehicles, and where to drive."""
