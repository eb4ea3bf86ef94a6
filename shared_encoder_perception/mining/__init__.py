# SPDX-License-Identifier: Apache-2.0
"""From a drive to the frames most worth labelling: the data loop closed."""
