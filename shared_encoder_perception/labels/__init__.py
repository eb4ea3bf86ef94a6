# SPDX-License-Identifier: Apache-2.0
"""Public data sets and our own, as one type of labelled frame."""
