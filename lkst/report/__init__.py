# SPDX-License-Identifier: GPL-2.0-or-later
"""
Report
------

A trace as one HTML page that needs no network: what the machine died of, what looks
wrong, a timeline of all CPUs, measures with plots, the kernel's log, all records.
"""

from lkst.report.build import build_report, write_report

__all__ = ("build_report", "write_report")
