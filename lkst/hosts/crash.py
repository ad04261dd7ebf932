# SPDX-License-Identifier: GPL-2.0-or-later
"""
Entry from crash(8)
-------------------

The extension of crash_ext/ runs ``python -m lkst.hosts.crash READ-FD WRITE-FD``. An interpreter
without LKST's dependencies reports it in one line.
"""

import sys

__all__ = ()

if __name__ == "__main__":
    try:
        from lkst.hosts.crash_session import main
    except (ImportError, SyntaxError) as error:
        sys.exit(f"lkst: {sys.executable}: {error}")
    main(int(sys.argv[1]), int(sys.argv[2]))
