# SPDX-License-Identifier: GPL-2.0-or-later
"""What would serve any program: files, lists, quoting, units, a pager, progress."""
