# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that host lkst and have opened what is to be read: crash(8) and its prompt."""
