# SPDX-License-Identifier: GPL-2.0-or-later
"""
BTF
---

``drgn_plugins.lkst_btf`` lets drgn read a Linux kernel without debug info. A
kernel with ``CONFIG_DEBUG_INFO_BTF`` and ``CONFIG_KALLSYMS`` carries its types
and its symbol table in its own memory, so a dump of it explains itself:

* symbols are found in kallsyms (which needs Linux 6.0 or later),
* types, functions, per-CPU variables and enumerators in BTF (see
  :linux:`Documentation/bpf/btf.rst`, :linux:`include/uapi/linux/btf.h`),
* other global variables, whose types BTF leaves out, in :mod:`globals`.

It also tells drgn where the kernel's code lies, without which drgn cannot unwind
stacks by the ORC tables of the dump.

Debug info comes first wherever there is any. Nothing is read before the first
lookup that debug info did not answer.

This folder is complete in itself. Use it as an installed drgn plugin, as
``DRGN_PLUGINS=lkst_btf=/path/to/lkst_btf``, or as a library::

    >>> from drgn_plugins.lkst_btf import attach_btf
    >>> attach_btf(prog)
"""

from .btf import BTF, BTFError
from .finders import attach_btf, drgn_prog_set, find_kallsyms
from .places import place_modules

__all__ = (
    "BTF",
    "BTFError",
    "attach_btf",
    "drgn_prog_set",
    "find_kallsyms",
    "place_modules",
)
