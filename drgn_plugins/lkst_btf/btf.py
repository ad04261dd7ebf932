# SPDX-License-Identifier: GPL-2.0-or-later
"""
BTF as bytes
------------

Reads :linux:`include/uapi/linux/btf.h`, as described in
:linux:`Documentation/bpf/btf.rst`. It knows nothing of drgn.
"""

from array import array
from collections.abc import Iterator, Sequence
import functools
import struct
import sys
from typing import TYPE_CHECKING, NamedTuple

try:
    import numpy as np
except ImportError:
    # It takes more time then.
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

# BTF_KIND_*
(
    KIND_VOID,
    KIND_INT,
    KIND_PTR,
    KIND_ARRAY,
    KIND_STRUCT,
    KIND_UNION,
    KIND_ENUM,
    KIND_FWD,
    KIND_TYPEDEF,
    KIND_VOLATILE,
    KIND_CONST,
    KIND_RESTRICT,
    KIND_FUNC,
    KIND_FUNC_PROTO,
    KIND_VAR,
    KIND_DATASEC,
    KIND_FLOAT,
    KIND_DECL_TAG,
    KIND_TYPE_TAG,
    KIND_ENUM64,
) = range(20)

# Number of 32-bit words that a type takes: always, and for each of its vlen
# members, enumerators, parameters or variables.
_TYPE_WORDS = {
    KIND_INT: (4, 0),
    KIND_PTR: (3, 0),
    KIND_ARRAY: (6, 0),
    KIND_STRUCT: (3, 3),
    KIND_UNION: (3, 3),
    KIND_ENUM: (3, 2),
    KIND_FWD: (3, 0),
    KIND_TYPEDEF: (3, 0),
    KIND_VOLATILE: (3, 0),
    KIND_CONST: (3, 0),
    KIND_RESTRICT: (3, 0),
    KIND_FUNC: (3, 0),
    KIND_FUNC_PROTO: (3, 2),
    KIND_VAR: (4, 0),
    KIND_DATASEC: (3, 3),
    KIND_FLOAT: (3, 0),
    KIND_DECL_TAG: (4, 0),
    KIND_TYPE_TAG: (3, 0),
    KIND_ENUM64: (3, 3),
}

INT_SIGNED = 1
INT_BOOL = 4

# Several times as much as Linux 6.1 to 7.3 need.
_MAX_NESTING = 128
_MAX_WEIGHT = 1 << 16
MAX_SIZE = 1 << 28


class BTFError(ValueError):
    """BTF is missing, damaged or of an unknown version."""


class Member(NamedTuple):
    """Member of a structure or union."""

    name: str
    """Name, empty if it has none."""

    type_id: int

    bit_offset: int

    bit_size: int
    """Size in bits if it is a bit field, otherwise 0."""


class BTF:
    """
    BTF type information.

    Types are numbered from 1; number 0 is ``void``. Making this object only
    indexes them by number and by name. What a type says is checked when it is
    asked for.
    """

    def __init__(self, data: bytes) -> None:
        """
        :param data: Contents of a ``.BTF`` section.
        :raises BTFError: if *data* is not valid
        """
        self._words, self._strings = _sections(data)
        self._offsets, self._by_name, self._enums = _index(self._words)
        self._weights: dict[tuple[int, bool], int] = {}

    def __len__(self) -> int:
        """Return one more than the number of the last type."""
        return len(self._offsets)

    def kind(self, type_id: int) -> int:
        """Return the ``BTF_KIND_*`` of a type."""
        return self._info(type_id) >> 24 & 31

    def flag(self, type_id: int) -> bool:
        """Return the ``kind_flag`` of a type."""
        return bool(self._info(type_id) >> 31)

    def name(self, type_id: int) -> str:
        """Return the name of a type, or an empty string if it has none."""
        return self._string(self._words[self._offset(type_id)])

    def size(self, type_id: int) -> int:
        """Return the size in bytes of an integer, float, compound or enum."""
        return self._words[self._offset(type_id) + 2]

    def target(self, type_id: int) -> int:
        """
        Return the type that a pointer, qualifier, typedef, tag, function or
        variable refers to, or that a function prototype returns.
        """
        return self._words[self._offset(type_id) + 2]

    def encoding(self, type_id: int) -> int:
        """Return the encoding of an integer type."""
        return self._words[self._offset(type_id) + 3] >> 24 & 15

    def array(self, type_id: int) -> tuple[int, int]:
        """Return the element type and the length of an array type."""
        offset = self._offset(type_id)
        return self._words[offset + 3], self._words[offset + 5]

    def members(self, type_id: int) -> Iterator[Member]:
        """Iterate over the members of a structure or union type."""
        bit_fields = self.flag(type_id)
        for name, member_type, offset in self._records(type_id, 3):
            bit_size = 0
            if bit_fields:
                bit_size = offset >> 24
                offset &= 0xFFFFFF
            yield Member(self._string(name), member_type, offset, bit_size)

    def enumerators(self, type_id: int) -> Iterator[tuple[str, int]]:
        """Iterate over the names and values of an enumerated type."""
        for name, value in self._enumerators(type_id):
            yield self._string(name), value

    def parameters(self, type_id: int) -> Iterator[tuple[str, int]]:
        """
        Iterate over the names and types of a function prototype's parameters.

        A variadic function has a last parameter without name and type.
        """
        for name, parameter_type in self._records(type_id, 2):
            yield self._string(name), parameter_type

    def find(self, name: str, *kinds: int) -> int | None:
        """
        Find a type by name.

        :param kinds: ``BTF_KIND_*`` to look for, in this order.
        """
        for name_offset in self._string_offsets(name):
            for kind in kinds:
                type_id = self._by_name.get(name_offset << 5 | kind)
                if type_id is not None:
                    return type_id
        return None

    def find_untagged(self, *members: str) -> int | None:
        """Find a structure without a tag by the names of its members."""
        sought = [next(self._string_offsets(name), 0) for name in members]
        header = array("I", (0, KIND_STRUCT << 24 | len(sought)))
        for type_id, offset in enumerate(self._offsets):
            if self._words[offset : offset + 2] == header and type_id:
                records = self._records(type_id, 3)
                if sought == [name for name, _, _ in records]:
                    return type_id
        return None

    def find_enumerator(self, name: str) -> tuple[int, int] | None:
        """Find an enumerator by name and return its enum type and its value."""
        for name_offset in self._string_offsets(name):
            found = self._by_enumerator.get(name_offset)
            if found is not None:
                return found
        return None

    def definition(self, type_id: int) -> int:
        """
        Return the structure or union that a forward declaration stands for, or
        ``void`` if it is not defined.
        """
        kind = KIND_UNION if self.flag(type_id) else KIND_STRUCT
        return self.find(self.name(type_id), kind) or KIND_VOID

    def check(self, type_id: int) -> None:
        """
        Check that everything that a type is made of can be walked.

        In C, a type can lead back to itself only through a pointer to a
        structure or union that has a name. Types that break this rule would
        send whoever walks them around forever.

        :raises BTFError: if not
        """
        self._weigh(type_id, False, 0)

    def _offset(self, type_id: int) -> int:
        if 0 < type_id < len(self._offsets):
            return self._offsets[type_id]
        raise BTFError(f"BTF has no type {type_id}")

    def _info(self, type_id: int) -> int:
        return self._words[self._offset(type_id) + 1]

    def _string(self, offset: int) -> str:
        if not offset:
            return ""
        end = self._strings.find(b"\0", offset)
        if end < 0:
            raise BTFError(f"BTF has no string at {offset}")
        string = self._strings[offset:end].decode("ascii", "replace")
        # Names end up on terminals.
        if not string.isprintable() or "\ufffd" in string:
            raise BTFError(f"BTF string at {offset} is not a name")
        return string

    def _string_offsets(self, name: str) -> Iterator[int]:
        # The encoder stores each string once, but nothing relies on it.
        needle = b"\0" + name.encode() + b"\0"
        offset = self._strings.find(needle)
        while offset >= 0:
            yield offset + 1
            offset = self._strings.find(needle, offset + 1)

    def _records(self, type_id: int, words: int) -> Iterator[tuple[int, ...]]:
        start = self._offset(type_id) + 3
        vlen = self._info(type_id) & 0xFFFF
        record = iter(self._words[start : start + words * vlen])
        return zip(*(record,) * words, strict=True)

    def _enumerators(self, type_id: int) -> Iterator[tuple[int, int]]:
        # Yields offsets of names.
        signed = self.flag(type_id)
        if self.kind(type_id) == KIND_ENUM64:
            for name, low, high in self._records(type_id, 3):
                yield name, _integer(high << 32 | low, 64, signed)
        else:
            for name, value in self._records(type_id, 2):
                yield name, _integer(value, 32, signed)

    @functools.cached_property
    def _by_enumerator(self) -> dict[int, tuple[int, int]]:
        return {
            name: (type_id, value)
            for type_id in reversed(self._enums)
            for name, value in self._enumerators(type_id)
        }

    def _weigh(self, type_id: int, pointed_to: bool, depth: int) -> int:
        # Count the types that a type is made of. Counting repetitions catches
        # a type that doubles at each of a few levels.
        if not type_id:
            return 1
        kind = self.kind(type_id)
        if pointed_to and kind in (KIND_STRUCT, KIND_UNION) and self.name(type_id):
            return 1
        weight = self._weights.get((type_id, pointed_to))
        if weight is None:
            weight = 1
            if depth < _MAX_NESTING:
                for part, behind in self._parts(type_id, kind, pointed_to):
                    weight += self._weigh(part, behind, depth + 1)
            if depth >= _MAX_NESTING or weight > _MAX_WEIGHT:
                raise BTFError(f"BTF type {type_id} contains itself or too much")
            self._weights[type_id, pointed_to] = weight
        return weight

    def _parts(self, type_id: int, kind: int, pointed_to: bool) -> Iterator[tuple[int, bool]]:
        if kind in (KIND_STRUCT, KIND_UNION):
            for _, member_type, _ in self._records(type_id, 3):
                yield member_type, False
        elif kind == KIND_ARRAY:
            yield self.array(type_id)[0], pointed_to
        elif kind == KIND_PTR:
            yield self.target(type_id), True
        elif kind == KIND_FUNC_PROTO:
            yield self.target(type_id), True
            for _, parameter_type in self._records(type_id, 2):
                yield parameter_type, True
        elif kind in (KIND_TYPEDEF, KIND_CONST, KIND_VOLATILE, KIND_RESTRICT, KIND_TYPE_TAG):
            yield self.target(type_id), pointed_to
        elif kind == KIND_FWD and not pointed_to:
            yield self.definition(type_id), False


def _sections(data: bytes) -> tuple["array[int]", bytes]:
    # Return the types, in host byte order, and the strings.
    byte_order = {b"\x9f\xeb": "<", b"\xeb\x9f": ">"}.get(data[:2])
    if byte_order is None:
        raise BTFError("BTF has no magic number")
    try:
        (
            _,
            version,
            _,
            header_size,
            types_offset,
            types_size,
            strings_offset,
            strings_size,
        ) = struct.unpack_from(f"{byte_order}HBBIIIII", data)
    except struct.error:
        raise BTFError("BTF header is cut off") from None
    if version != 1:
        raise BTFError(f"BTF version {version} is unknown")
    types_offset += header_size
    strings_offset += header_size
    if (
        types_size % 4
        or types_offset + types_size > len(data)
        or strings_offset + strings_size > len(data)
    ):
        raise BTFError("BTF header is damaged")

    words = array("I", data[types_offset : types_offset + types_size])
    if byte_order != ("<" if sys.byteorder == "little" else ">"):
        words.byteswap()
    strings = data[strings_offset : strings_offset + strings_size]
    if not strings.startswith(b"\0"):
        raise BTFError("BTF strings are damaged")
    return words, strings


def _index(
    words: "array[int]",
) -> tuple["Sequence[int] | array[int]", "dict[int, int] | _ByName", list[int]]:
    # Return where each type starts, the types by offset of name and kind, and
    # the enums. This loop sees a hundred thousand types, so it only does what
    # cannot wait.
    fixed = [0] * 32
    variable = [0] * 32
    for kind, words_of_kind in _TYPE_WORDS.items():
        fixed[kind], variable[kind] = words_of_kind
    index = None if np is None else _index_at_once(words, fixed, variable)
    if index is not None:
        return index
    offsets = [0]
    by_name: dict[int, int] = {}
    enums = []
    enum_kinds = (KIND_ENUM, KIND_ENUM64)
    end = len(words)
    offset = 0
    type_id = 1
    try:
        while offset < end:
            offsets.append(offset)
            info = words[offset + 1]
            kind = info >> 24 & 31
            name = words[offset]
            if name:
                by_name.setdefault(name << 5 | kind, type_id)
            if kind in enum_kinds:
                enums.append(type_id)
            size = fixed[kind] + (info & 0xFFFF) * variable[kind]
            if not size:
                raise BTFError(f"BTF type {type_id} is of unknown kind {kind}")
            offset += size
            type_id += 1
    except IndexError:
        offset = -1
    if offset != end:
        raise BTFError(f"BTF type {type_id - 1} is cut off")
    return offsets, by_name, enums


class _ByName:
    # Types by offset of name and kind, as a dictionary.

    def __init__(self, keys: "NDArray[np.int64]") -> None:
        # Of several with the same key the first comes first.
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def get(self, key: int) -> int | None:
        place = int(np.searchsorted(self._keys, key))
        if place < len(self._keys) and self._keys[place] == key:
            return int(self._order[place]) + 1
        return None


def _index_at_once(
    words: "array[int]", fixed: list[int], variable: list[int]
) -> tuple["array[int]", _ByName, list[int]] | None:
    # The same, but for a loop that does no more than go from one type to the
    # next; None if it does not come to the end.
    at = np.frombuffer(words, np.uint32)
    kinds = at >> 24 & 31
    steps = np.array(fixed, np.uint32).take(kinds)
    steps += (at & 0xFFFF) * np.array(variable, np.uint32).take(kinds)
    end = len(words)
    # From the second word of a type to the next one's; of an unknown kind nowhere.
    following = np.arange(end, dtype=np.uint32) + steps
    following[steps == 0] = end + 2
    follow = array("I", following.tobytes())
    seconds = array("I")
    append = seconds.append
    second = 1
    while second < end:
        append(second)
        second = follow[second]
    if second != end + 1:
        return None
    where = np.frombuffer(seconds, np.uint32).astype(np.int64)
    kinds = kinds.take(where)
    keys = at.take(where - 1).astype(np.int64) << 5 | kinds
    enums = np.flatnonzero((kinds == KIND_ENUM) | (kinds == KIND_ENUM64)) + 1
    offsets = array("I", [0])
    offsets.frombytes((where - 1).astype(np.uint32).tobytes())
    return offsets, _ByName(keys), enums.tolist()


def _integer(value: int, bits: int, signed: bool) -> int:
    return value - (1 << bits) if signed and value >> (bits - 1) else value
