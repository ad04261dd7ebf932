# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures: what turns a trace into times, queues or counts."""
