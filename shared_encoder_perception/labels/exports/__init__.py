# SPDX-License-Identifier: Apache-2.0
"""Native sets as files of annotation tools, to be corrected there."""
