# SPDX-License-Identifier: Apache-2.0
"""One self-contained HTML page for people: tables, charts, pictures; readable without network."""
