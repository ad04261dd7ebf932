# SPDX-License-Identifier: GPL-2.0-or-later
"""The recorder's life: configuration, start, changes, status, stop."""
