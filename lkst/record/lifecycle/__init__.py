# SPDX-License-Identifier: GPL-2.0-or-later
"""From start to stop: configuration, start at boot, changes, status."""
