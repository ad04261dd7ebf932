# SPDX-License-Identifier: GPL-2.0-or-later
"""The recorder that runs, through its pinned maps."""

import ctypes
from dataclasses import replace
import mmap

import pytest

from lkst.abi.control import Control
from lkst.errors import LkstError
from lkst.live.recorder import Recorder
from lkst.record.programs.catalogue import built_catalogue


def opened(control_size: int) -> Recorder:
    recorder = Recorder.__new__(Recorder)
    recorder.header = replace(built_catalogue().header, control_size=control_size, abi=(2, 1))
    recorder._maps = {"control": mmap.mmap(-1, -(-control_size // 4096) * 4096)}
    return recorder


def test_a_recorder_with_less_control_data_is_not_steered() -> None:
    # As ABI 2.1 has it.
    with pytest.raises(LkstError, match=r"with ABI 2\.1 and cannot be controlled"):
        _ = opened(Control.clock.offset).live
    assert isinstance(opened(ctypes.sizeof(Control)).live, Control)
