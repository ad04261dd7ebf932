# SPDX-License-Identifier: GPL-2.0-or-later
"""Let the tests import the lab's modules, which import each other by name."""

from pathlib import Path
import sys

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "vmcores"))
