# SPDX-License-Identifier: GPL-2.0-or-later
"""BPF objects, programs, maps and types by way of libbpf; nothing of LKST."""
