# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of tasks over time, by how much of a trace is decoded."""
