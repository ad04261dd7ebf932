# SPDX-License-Identifier: GPL-2.0-or-later
"""How large rings are, by the possible CPUs and the memory."""

import pytest

from lkst.abi import layout
from lkst.errors import Usage
from lkst.live import machine
from lkst.record.buffers import DEFAULT_RING_BYTES, fitting_ring, nr_slots_of

MIB = 1 << 20


@pytest.mark.parametrize(
    ("nr_cpus", "memory", "used", "ring"),
    [
        (2, 1024 * MIB, 0, 64 * MIB),
        (128, 1024 * MIB, 0, MIB),
        (128, 1024 * MIB - 1, 0, MIB // 2),
        (128, 1024 * MIB, 1, MIB // 2),
        (128, 4 * MIB, 0, 4096),
        (128, 4 * MIB - 1, 0, 0),
        (4, 512 * MIB, 64 * MIB, 0),
        (4, 512 * MIB, 65 * MIB, 0),
        # Not 2^32 slots in one map.
        (1, 1 << 50, 0, 1 << 37),
    ],
)
def test_the_largest_rings_that_fit(nr_cpus: int, memory: int, used: int, ring: int) -> None:
    assert fitting_ring(nr_cpus, memory, used) == ring


def test_unless_a_size_is_given_rings_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: 960 * MIB)
    assert nr_slots_of(None, 2) * layout.SLOT_SIZE == DEFAULT_RING_BYTES
    assert nr_slots_of(None, 128) * layout.SLOT_SIZE == MIB // 2
    assert nr_slots_of(MIB // 2, 128) * layout.SLOT_SIZE == MIB // 2


def test_what_does_not_fit_is_refused_with_what_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory", lambda: 960 * MIB)
    with pytest.raises(Usage, match=r"^128 rings of 1024 KiB.* take 128 MiB: .*: give --size 512K"):
        nr_slots_of(MIB, 128)
    monkeypatch.setattr(machine, "memory", lambda: 2 * MIB)
    with pytest.raises(Usage, match=r"no size fits$"):
        nr_slots_of(None, 128)
