# SPDX-License-Identifier: GPL-2.0-or-later
"""The BPF programs: which exist, which are attached, which the kernel refused."""
