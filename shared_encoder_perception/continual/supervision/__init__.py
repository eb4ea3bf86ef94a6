# SPDX-License-Identifier: Apache-2.0
"""What a task learns from pictures that nobody has labelled."""
