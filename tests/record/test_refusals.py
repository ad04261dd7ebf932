# SPDX-License-Identifier: GPL-2.0-or-later
"""Why a machine refuses the recorder, from its facts."""

import gzip
from pathlib import Path
import platform

import pytest

from lkst.bpf.refusals import Policy, explain, no_functions, read_policy

ALL = (1 << 41) - 1
CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF = 21, 38, 39
EPERM = "Operation not permitted"


def test_lockdown_is_named_instead_of_a_helper() -> None:
    said = "Invalid argument\nprogram of this type cannot use helper bpf_probe_read_kernel#113"
    assert explain(said, Policy(capabilities=ALL)) is None
    assert explain(said, Policy(lockdown="integrity", capabilities=ALL)) is None
    reason = explain(said, Policy(lockdown="confidentiality", capabilities=ALL))
    assert reason and "lockdown is in confidentiality mode" in reason


def test_the_capabilities_that_are_missing_are_named() -> None:
    reason = explain(EPERM, Policy(capabilities=0))
    assert reason and "lacks CAP_PERFMON and CAP_BPF" in reason
    reason = explain(EPERM, Policy(capabilities=1 << CAP_BPF))
    assert reason and "lacks CAP_PERFMON:" in reason
    # CAP_SYS_ADMIN stands for both.
    assert explain(EPERM, Policy(capabilities=1 << CAP_SYS_ADMIN)) is None
    assert explain(EPERM, Policy(capabilities=1 << CAP_BPF | 1 << CAP_PERFMON)) is None


def test_filters_and_security_modules_are_named() -> None:
    reason = explain(EPERM, Policy(capabilities=ALL, seccomp=True))
    assert reason and "seccomp" in reason
    reason = explain("Permission denied", Policy(capabilities=ALL, lsms=("capability", "selinux")))
    assert reason and "(selinux)" in reason
    assert explain(EPERM, Policy(capabilities=ALL, lsms=("capability", "yama"))) is None


def test_what_is_not_a_policy_is_not_called_one() -> None:
    policy = Policy(capabilities=0, seccomp=True, lsms=("selinux",))
    assert explain("Cannot allocate memory", policy) is None


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (Policy(config={"CONFIG_BPF_JIT": "y"}), "(CONFIG_FUNCTION_TRACER)"),
        (Policy(ftrace=False), "kernel.ftrace_enabled=1"),
        (Policy(ftrace=None), "no function tracer"),
    ],
)
def test_why_functions_cannot_be_hooked(policy: Policy, reason: str) -> None:
    assert reason in no_functions(policy)


def test_policies_are_read_where_they_are(tmp_path: Path) -> None:
    def write(name: str, content: bytes) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    assert read_policy(tmp_path) == Policy(lsms=[""])
    write("proc/cmdline", b"quiet lockdown=integrity\n")
    assert read_policy(tmp_path).lockdown == "integrity"
    write("sys/kernel/security/lockdown", b"none integrity [confidentiality]\n")
    write("sys/kernel/security/lsm", b"lockdown,capability,apparmor\n")
    write("proc/self/status", b"Name:\tx\nCapEff:\t0000000000200000\nSeccomp:\t2\n")
    write("proc/sys/kernel/ftrace_enabled", b"0\n")
    write(f"boot/config-{platform.release()}", b"CONFIG_BPF_JIT=y\n# CONFIG_FTRACE is not set\n")
    policy = Policy(
        "confidentiality",
        1 << CAP_SYS_ADMIN,
        True,
        ["lockdown", "capability", "apparmor"],
        {"CONFIG_BPF_JIT": "y"},
        False,
    )
    assert read_policy(tmp_path) == policy
    write("proc/config.gz", gzip.compress(b"CONFIG_FTRACE=y\n"))
    assert read_policy(tmp_path).config == {"CONFIG_FTRACE": "y"}
