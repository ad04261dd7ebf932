# SPDX-License-Identifier: GPL-2.0-or-later
"""
Refusals
--------

Reasons why a kernel refuses to load BPF programs: policies that forbid it, and missing
features.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
import gzip
from pathlib import Path
import platform
import re

__all__ = ("Policy", "explain", "no_functions", "read_policy")

# include/uapi/linux/capability.h
_CAP_SYS_ADMIN, _CAP_PERFMON, _CAP_BPF = 21, 38, 39
_NEEDED = {_CAP_PERFMON: "CAP_PERFMON", _CAP_BPF: "CAP_BPF"}

#: Security modules that can refuse bpf(2) (include/linux/lsm_hooks.h).
_RULING_LSMS = ("selinux", "apparmor", "smack", "tomoyo", "bpf")


@dataclass(frozen=True)
class Policy:
    """Policies that decide whether this process may load BPF programs."""

    #: ``none``, ``integrity``, ``confidentiality``; "": not known.
    lockdown: str = ""
    #: Bits of CapEff in proc(5).
    capabilities: int = -1
    #: Whether a seccomp filter is active.
    seccomp: bool = False
    #: Active security modules.
    lsms: Sequence[str] = ()
    #: The kernel's configuration; empty: it cannot be read.
    config: dict[str, str] = field(default_factory=dict)
    #: /proc/sys/kernel/ftrace_enabled; None: it does not exist.
    ftrace: bool | None = None


def read_policy(root: Path = Path("/")) -> Policy:
    """
    Read the policies; those that cannot be read stay empty.

    :param root: folder of proc, sys, boot and lib
    """
    status = _read(root / "proc/self/status")
    ftrace = _read(root / "proc/sys/kernel/ftrace_enabled").strip()
    capabilities = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return Policy(
        lockdown=_lockdown(root),
        capabilities=int(capabilities[1], 16) if capabilities else -1,
        seccomp=re.search(r"^Seccomp:\s*2$", status, re.MULTILINE) is not None,
        lsms=_read(root / "sys/kernel/security/lsm").strip().split(","),
        config=_config(root),
        ftrace=None if not ftrace else ftrace != "0",
    )


def _lockdown(root: Path) -> str:
    if found := re.search(r"\[(\w+)\]", _read(root / "sys/kernel/security/lockdown")):
        return found[1]
    # securityfs may not be mounted.
    found = re.search(r"\blockdown=(\w+)", _read(root / "proc/cmdline"))
    return found[1] if found else ""


def _config(root: Path) -> dict[str, str]:
    release = platform.release()
    for path in (
        root / "proc/config.gz",
        root / f"boot/config-{release}",
        root / f"lib/modules/{release}/config",
    ):
        if text := _read(path):
            return dict(re.findall(r"^(CONFIG_\w+)=(.*)$", text, re.MULTILINE))
    return {}


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8", "replace")
    except (OSError, EOFError):
        return ""


def explain(said: str, policy: Policy) -> str | None:
    """
    Return the policy that makes the kernel refuse BPF programs.

    :param said: messages of libbpf and the verifier
    :return: None: it is not a policy
    """
    if policy.lockdown == "confidentiality" and re.search(
        r"helper|unknown func|EPERM|not permitted", said
    ):
        return (
            "kernel lockdown is in confidentiality mode, which forbids BPF programs to read"
            " kernel memory: boot with lockdown=integrity, or without Secure Boot"
        )
    if not re.search(r"not permitted|EPERM|denied|EACCES", said):
        return None
    if not policy.capabilities >> _CAP_SYS_ADMIN & 1:
        missing = [name for bit, name in _NEEDED.items() if not policy.capabilities >> bit & 1]
        if missing:
            return f"this process lacks {' and '.join(missing)}: it may run in a container"
    if policy.seccomp:
        return "a seccomp filter forbids bpf(2) to this process: it may run in a container"
    ruling = [name for name in policy.lsms if name in _RULING_LSMS]
    if ruling:
        return f"a security module forbids it ({', '.join(ruling)}): see the audit log"
    return None


def no_functions(policy: Policy) -> str:
    """Return the reason why no BPF program can be attached to a function (fentry, fexit)."""
    missing = [
        name
        for name in ("CONFIG_FUNCTION_TRACER", "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS")
        if policy.config and name not in policy.config
    ]
    if missing:
        return f"this kernel has no BPF trampolines ({missing[0]})"
    if policy.config and "CONFIG_BPF_JIT" not in policy.config:
        return "this kernel has no BPF JIT compiler (CONFIG_BPF_JIT)"
    if policy.ftrace is False:
        return "ftrace is turned off: sysctl kernel.ftrace_enabled=1"
    if policy.ftrace is None:
        return "this kernel has no function tracer (CONFIG_FUNCTION_TRACER)"
    return "BPF programs cannot attach to functions, for an unknown reason"
