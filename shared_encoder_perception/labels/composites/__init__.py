# SPDX-License-Identifier: Apache-2.0
"""Pairs of pictures that are never stored: things cut out of some, put into others.

``make`` looks through two folders and writes an ``index``; a ``fold`` of it makes its composites
when they are asked for.
"""
