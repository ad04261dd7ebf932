# SPDX-License-Identifier: GPL-2.0-or-later
"""What drgn runs for ``DRGN_PLUGINS=lkst_btf=/path/to/lkst_btf``."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
import sys

__all__ = ("drgn_prog_set",)

_HERE = Path(__file__).resolve().parent

# Whatever it is installed as, it is a package of this name here, and sys.path is left alone.
_spec = spec_from_file_location("lkst_btf", _HERE / "__init__.py")
assert _spec and _spec.loader
_package = module_from_spec(_spec)
sys.modules[_spec.name] = _package
_spec.loader.exec_module(_package)

drgn_prog_set = _package.drgn_prog_set
