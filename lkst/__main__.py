# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m lkst``"""

from lkst.cli import main

main()
