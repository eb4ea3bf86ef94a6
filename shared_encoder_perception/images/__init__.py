# SPDX-License-Identifier: Apache-2.0
"""Pictures in: from messages and files, and the one crop and resize that maps points both ways."""
