# SPDX-License-Identifier: GPL-2.0-or-later
"""
Around a crash
--------------

The hooks in the distributions' kdump services, which save the recorder before the
dump is taken, and the service that reads at the next boot what was saved.
"""
