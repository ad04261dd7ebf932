# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of a trace, for SQL."""
