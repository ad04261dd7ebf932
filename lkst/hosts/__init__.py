# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that host lkst and have a dump open: crash(8), and drgn's prompt inside it."""
