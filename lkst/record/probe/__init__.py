# SPDX-License-Identifier: GPL-2.0-or-later
"""Probes: events that users add. Compiles a definition to programs in the kernel."""
