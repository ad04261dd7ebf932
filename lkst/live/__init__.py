# SPDX-License-Identifier: GPL-2.0-or-later
"""This machine, and the recorder that runs on it."""
