# SPDX-License-Identifier: GPL-2.0-or-later
"""The program ``lkst``, also as ``python -m lkst``."""

import sys

__all__ = ("main",)


def main() -> None:
    """Run the command line of this process."""
    try:
        # Importing it takes long enough to be interrupted.
        from lkst.cli.main import main as run_command_line

        run_command_line()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
