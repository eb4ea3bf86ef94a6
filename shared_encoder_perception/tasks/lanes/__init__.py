# SPDX-License-Identifier: Apache-2.0
"""The task lanes: five lane centre lines."""
