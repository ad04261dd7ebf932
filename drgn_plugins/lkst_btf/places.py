# SPDX-License-Identifier: GPL-2.0-or-later
"""
Where code lies
---------------

The address ranges of the kernel and its modules, without which drgn does not find the tables
by which it unwinds stacks.
"""

import contextlib
import logging

from drgn import Object, Program
from drgn.helpers.linux.module import for_each_module, module_address_regions

from .finders import find_kallsyms, register

__all__ = ("place_modules",)

logger = logging.getLogger("drgn.lkst_btf")

_MAX_MODULES = 1 << 14


def place_modules(prog: Program) -> None:
    """
    Find the kernel's modules, and tell drgn where they and the kernel lie.

    Without it drgn does not find the tables by which it unwinds stacks. drgn's
    command line does the same when it looks for debug info. A damaged list of
    modules costs the modules that come behind the damage.
    """
    try:
        prog.create_loaded_modules()
    except Exception as e:
        logger.debug("cannot find the modules: %s", e)
    with contextlib.suppress(LookupError, ValueError):
        register(prog).place_kernel([prog.main_module()])
    try:
        for number, module in enumerate(for_each_module(prog)):
            if number >= _MAX_MODULES:
                break
            _place_module(prog, module)
    except Exception as e:
        logger.debug("cannot read the list of modules: %s", e)


def _place_module(prog: Program, module: Object) -> None:
    """Create a module that drgn ignored, as it does where dumps lack its sections' names."""
    try:
        with contextlib.suppress(LookupError):
            prog.linux_kernel_loadable_module(module)
            return
        regions = [(start, start + size) for start, size in module_address_regions(module) if size]
        name = module.name.string_().decode("utf-8", "replace")
        created = prog.relocatable_module(name, regions[0][0], create=True)
        created.object = module
        created.address_ranges = regions
        # CONFIG_UNWINDER_ORC
        for section in ("orc_unwind", "orc_unwind_ip"):
            created.section_addresses[f".{section}"] = module.arch.member_(section).value_()
        # It says how to read the others, and is the same in all modules.
        for symbol in find_kallsyms(prog, "__start_orc_header", None, True):
            created.section_addresses[".orc_header"] = symbol.address
    except Exception as e:
        logger.debug("cannot tell where a module lies: %s", e)
