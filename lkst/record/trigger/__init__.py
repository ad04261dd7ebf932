# SPDX-License-Identifier: GPL-2.0-or-later
"""Triggers: conditions on events, and what is done when they hold."""
