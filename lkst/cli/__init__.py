# SPDX-License-Identifier: GPL-2.0-or-later
"""The program lkst: its commands, and the code that they share."""
