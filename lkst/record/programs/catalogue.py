# SPDX-License-Identifier: GPL-2.0-or-later
"""
The compiled catalogue
----------------------

The catalogue in the compiled programs, and the parts that are filled in when they are
loaded.
"""

import dataclasses
import os
import secrets
import struct

import lkst
from lkst.abi import layout
from lkst.bpf.object import Object
from lkst.decode.catalogue import Catalogue, parse_catalogue
from lkst.errors import LkstError
from lkst.live import machine
from lkst.live.recorder import Recorder
from lkst.record.programs.attach import object_path

__all__ = ("built_catalogue", "fill_header", "known_catalogue")


def built_catalogue() -> Catalogue:
    """
    Return the catalogue that a recorder of this installation would have.

    Its header lacks the members that are set when it is loaded.
    """
    with Object(object_path()) as bpf:
        raw = bytearray(bpf.initial_value(".data.catalogue"))
    fill_header(memoryview(raw), nr_slots=1, nr_cpus=1, clock=machine.Clock(0, 0))
    return parse_catalogue(bytes(raw))


def known_catalogue() -> Catalogue:
    """Return the events of this installation, and the probes of the running recorder."""
    own = built_catalogue()
    try:
        with Recorder() as recorder:
            probes = {id_: e for id_, e in recorder.catalogue.events.items() if e.is_probe}
            if recorder.catalogue.header.nr_events != own.header.nr_events:
                return own
    except LkstError:
        return own
    return dataclasses.replace(own, events=own.events | probes)


def _tag() -> int:
    """
    Return a random tag whose lowest bits are 0, for the number of a buffer.

    Its upper byte occurs neither in ASCII nor in zeroed memory: otherwise pages of text could
    look like slots.
    """
    return (0x80 + secrets.randbelow(0x7F)) << 8 | secrets.randbelow(16) * layout.MAX_BUFFERS


def fill_header(
    catalogue: memoryview, *, nr_slots: int, nr_cpus: int, clock: machine.Clock
) -> None:
    """
    Fill in the catalogue header of a recorder that is about to be loaded.

    :param nr_slots: slots in a ring of the first buffer
    :param nr_cpus: number of possible CPUs
    """
    header = dict(zip(layout.HEADER_NAMES, layout.HEADER.unpack_from(catalogue), strict=True))
    uname = os.uname()
    header.update(
        nr_slots=nr_slots,
        nr_cpus=nr_cpus,
        tag=_tag(),
        start=clock.monotonic,
        real_offset=clock.real_offset,
        boot_id=machine.boot_id(),
        release=uname.release.encode()[:63],
        machine=uname.nodename.encode()[:63],
        version=lkst.__version__.encode()[:31],
    )
    layout.HEADER.pack_into(catalogue, 0, *header.values())
    for index in range(header["nr_events"] + header["nr_probes"]):
        entry = header["header_size"] + index * header["event_size"]
        struct.pack_into(
            "<II", catalogue, entry + layout.EVENT_TAG_OFFSET, header["tag"], index + 1
        )
