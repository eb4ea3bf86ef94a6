# SPDX-License-Identifier: Apache-2.0
"""One network learns a sequence of places; what it forgets is measured, and kept small."""
