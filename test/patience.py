# SPDX-License-Identifier: Apache-2.0
"""How long tests wait for what must come: as long as a busy machine may take, and no longer."""

PATIENCE_S = 120.0
"""What is expected comes within seconds on an idle machine. No test is right or wrong by speed."""
