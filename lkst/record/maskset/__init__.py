# SPDX-License-Identifier: GPL-2.0-or-later
"""Masksets, with their handlers and filters."""
