# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces that do not change: the recorder's own memory, and the kernel's to programs."""
