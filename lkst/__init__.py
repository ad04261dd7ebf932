# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux Kernel State Tracer: what the kernel did before it died."""

__version__ = "0.1.0"
