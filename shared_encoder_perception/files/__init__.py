# SPDX-License-Identifier: Apache-2.0
"""Files and words that cross our border: what is opened, believed, written and shown."""
