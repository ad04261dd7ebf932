# SPDX-License-Identifier: GPL-2.0-or-later
"""Triggers: conditions on events, and the actions to take when they hold."""
