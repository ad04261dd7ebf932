# SPDX-License-Identifier: GPL-2.0-or-later
"""BPF objects, programs, maps and types with libbpf; nothing specific to LKST."""
