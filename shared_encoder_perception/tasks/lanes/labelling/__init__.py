# SPDX-License-Identifier: Apache-2.0
"""From what data sets label (boundaries, paint) to the centre lines of the five lanes."""
