# SPDX-License-Identifier: Apache-2.0
"""The encoder of networks that are trained and exported only to see that it works.

timm has it for such tests; an export takes a third of the time of the default's.
"""

ENCODER = "test_resnet"
