# SPDX-License-Identifier: GPL-2.0-or-later
"""What is missing of a kernel's memory, in words."""

from drgn import FaultError

__all__ = ("fault_text",)


def fault_text(error: BaseException) -> str:
    """Describe an error in the user's terms instead of a library's."""
    fault: BaseException | None = error
    while fault is not None and not isinstance(fault, FaultError):
        fault = fault.__cause__
    if fault is None:
        return getattr(error, "strerror", None) or " ".join(str(error).split())
    where = f"memory at {fault.address:#x} is missing"
    head = "" if fault is error else str(error).partition(str(fault))[0]
    return " ".join((head + where).split())
