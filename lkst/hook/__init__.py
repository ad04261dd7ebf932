# SPDX-License-Identifier: GPL-2.0-or-later
"""
Crash hooks
--------------

The hooks in the distributions' kdump services, which save the recorder before the dump,
and the service that processes the saved files at the next boot.
"""
