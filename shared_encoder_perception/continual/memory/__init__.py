# SPDX-License-Identifier: Apache-2.0
"""What is kept of earlier tasks: which samples, by which policy, and how they come into batches."""
