# SPDX-License-Identifier: GPL-2.0-or-later
"""Types, objects and symbols of a kernel without debug info."""

from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import re
import struct
import subprocess
import sys

from drgn import (
    Architecture,
    FaultError,
    Object,
    Platform,
    Program,
    SymbolKind,
    TypeKind,
    sizeof,
)
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from drgn_plugins.lkst_btf import (
    BTF,
    BTFError,
    attach_btf,
    btf,
    drgn_prog_set,
    find_kallsyms,
    kallsyms,
)

PLUGIN = Path(__file__).parents[2] / "drgn_plugins" / "lkst_btf"

# BTF_KIND_*
INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT = range(1, 12)
FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(12, 20)

SIGNED, BOOL = 1 << 24, 4 << 24


class Encoder:
    """Writes BTF. Each method adds a type and returns its number."""

    def __init__(self) -> None:
        self._types: list[list[int]] = []
        self._strings = b"\0"
        self._offsets = {"": 0}

    def add(
        self, kind: int, name: str, size: int, *words: int, vlen: int = 0, flag: int = 0
    ) -> int:
        self._types.append([self._string(name), flag << 31 | kind << 24 | vlen, size, *words])
        return len(self._types)

    def integer(self, name: str, size: int, encoding: int = 0) -> int:
        return self.add(INT, name, size, encoding | size * 8)

    def pointer(self, target: int) -> int:
        return self.add(PTR, "", target)

    def array(self, element: int, length: int) -> int:
        return self.add(ARRAY, "", 0, element, 1, length)

    def struct(
        self,
        name: str,
        size: int,
        *members: tuple[str, int, int],
        kind: int = STRUCT,
        flag: int = 0,
    ) -> int:
        words = [w for name, type_id, bit in members for w in (self._string(name), type_id, bit)]
        return self.add(kind, name, size, *words, vlen=len(members), flag=flag)

    def enum(self, name: str, size: int, flag: int = 0, **values: int) -> int:
        words = [w for name, value in values.items() for w in (self._string(name), value)]
        return self.add(ENUM, name, size, *words, vlen=len(values), flag=flag)

    def enum64(self, name: str, flag: int = 0, **values: int) -> int:
        words = [
            w
            for name, value in values.items()
            for w in (self._string(name), value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF)
        ]
        return self.add(ENUM64, name, 8, *words, vlen=len(values), flag=flag)

    def func(self, name: str, result: int, *parameters: tuple[str, int]) -> int:
        return self.add(FUNC, name, self.proto(result, *parameters))

    def proto(self, result: int, *parameters: tuple[str, int]) -> int:
        words = [w for name, type_id in parameters for w in (self._string(name), type_id)]
        return self.add(FUNC_PROTO, "", result, *words, vlen=len(parameters))

    def data(self, byte_order: str = "<") -> bytes:
        types = b"".join(
            struct.pack(f"{byte_order}{len(words)}I", *(word & 0xFFFFFFFF for word in words))
            for words in self._types
        )
        header = struct.pack(
            f"{byte_order}HBBIIIII",
            0xEB9F,
            1,
            0,
            24,
            0,
            len(types),
            len(types),
            len(self._strings),
        )
        return header + types + self._strings

    def _string(self, string: str) -> int:
        if string not in self._offsets:
            self._offsets[string] = len(self._strings)
            self._strings += string.encode("latin-1") + b"\0"
        return self._offsets[string]


def small_kernel(char_encoding: int = 0) -> Encoder:
    """Return types of every kind, some of them named as those of Linux are."""
    e = Encoder()
    int_ = e.integer("int", 4, SIGNED)
    e.integer("unsigned int", 4)
    ulong = e.integer("long unsigned int", 8)
    e.integer("long int", 8, SIGNED)
    char = e.integer("char", 1, char_encoding)
    bool_ = e.integer("_Bool", 1, BOOL)
    double = e.add(FLOAT, "double", 8)
    name = e.array(char, 16)
    idr = e.struct("idr", 16, ("idr_base", int_, 0), ("idr_next", ulong, 64))
    counter = e.struct("", 4, ("counter", int_, 0))
    e.add(TYPEDEF, "atomic_t", counter)
    state = e.enum("state", 4, 1, STATE_BAD=-1, STATE_GOOD=1)
    e.enum("", 4, VERSION=0xFFFFFFFF)
    big = e.enum64("big", 1, HUGE=1 << 40, TINY=-1)
    e.enum("undefined", 4)
    opaque = e.add(FWD, "opaque", 0)
    declared = e.add(FWD, "node", 0)
    callback = e.pointer(e.proto(int_, ("data", e.pointer(0)), ("", 0)))
    anonymous = e.struct("", 4, ("a", int_, 0), ("b", int_, 0), kind=UNION)
    tag = e.add(TYPE_TAG, "rcu", idr)
    tagged = e.pointer(tag)
    node = len(e._types) + 1
    e.struct(
        "node",
        96,
        ("next", node + 1, 0),
        ("fwd", node + 2, 64),
        ("name", name, 128),
        ("flag", int_, 3 << 24 | 256),
        ("more", ulong, 40 << 24 | 259),
        ("state", state, 320),
        ("big", big, 384),
        ("", anonymous, 448),
        ("ok", bool_, 480),
        ("call", callback, 512),
        ("idr", tagged, 576),
        ("d", double, 640),
        ("text", node + 5, 704),
        ("tail", node + 6, 768),
        flag=1,
    )
    e.pointer(node)
    e.pointer(declared)
    const = e.add(CONST, "", char)
    e.pointer(e.add(VOLATILE, "", const))
    e.array(ulong, 0)
    e.pointer(opaque)
    e.add(VAR, "runqueues", node, 1)
    e.add(DATASEC, ".data..percpu", 96, node + 8, 0, 96, vlen=1)
    e.add(DECL_TAG, "user", node, 0)
    e.func("schedule", 0, ("why", int_))
    e.struct("", 32, ("seq", ulong, 0), ("timekeeper", ulong, 64))
    return e


NODE = """\
struct node {
	struct node *next;
	struct node *fwd;
	char name[16];
	int flag : 3;
	unsigned long more : 40;
	enum state state;
	enum big big;
	union {
		int a;
		int b;
	};
	_Bool ok;
	int (*call)(void *data, ...);
	struct idr *idr;
	double d;
	const volatile char *text;
	unsigned long tail[];
}"""

STEXT = 0xFFFFFFFF81000000
SYMBOLS = {
    "_stext": STEXT,
    "schedule": STEXT + 0x100,
    "linux_banner": STEXT + 0x1000,
    "map_idr": STEXT + 0x1010,
    "panic_cpu": STEXT + 0x1020,
    "prog_idr": STEXT + 0x1028,
    "btf_idr": STEXT + 0x1030,
    "runqueues": STEXT + 0x1040,
    "tk_core": STEXT + 0x1080,
    "__per_cpu_offset": STEXT + 0x1100,
    "no_type": STEXT + 0x1120,
    "__start_BTF": STEXT + 0x10000,
}
END = STEXT + 0x20000


class Kernel:
    """A kernel's memory that holds no more than BTF and kallsyms."""

    def __init__(
        self, btf: bytes, symbols: dict[str, int] = SYMBOLS, local: dict[str, int] | None = None
    ) -> None:
        self.reads = 0
        listed = [("T", *symbol) for symbol in symbols.items()]
        listed += [("t", *symbol) for symbol in (local or {}).items()]
        if "__start_BTF" in symbols:
            listed += [("R", "__stop_BTF", symbols["__start_BTF"] + len(btf))]
        listed = [*sorted(listed, key=lambda symbol: symbol[2]), ("A", "_end", END)]
        names = [(kind + name).encode() for kind, name, _ in listed]
        # A compressed name is a length and tokens. Here, the tokens are ASCII.
        self.tables = {
            "kallsyms_num_syms": struct.pack("<I", len(listed)),
            "kallsyms_names": b"".join(bytes([len(name)]) + name for name in names),
            "kallsyms_token_table": b"\0" + b"".join(bytes([i, 0]) for i in range(1, 256)),
            "kallsyms_token_index": struct.pack("<256H", 0, *range(1, 511, 2)),
            "kallsyms_offsets": struct.pack(f"<{len(listed)}I", *(s[2] - STEXT for s in listed)),
            "kallsyms_relative_base": struct.pack("<Q", STEXT),
        }
        self.btf = btf
        self.btf_address = symbols.get("__start_BTF")

    def program(self) -> Program:
        vmcoreinfo = ["OSRELEASE=6.1.0", "PAGESIZE=4096"]
        vmcoreinfo += [f"SYMBOL({name})={STEXT:x}" for name in ("_stext", "swapper_pg_dir")]
        segments = [(STEXT, bytes(END - STEXT))]
        address = END
        for name, table in self.tables.items():
            vmcoreinfo.append(f"SYMBOL({name})={address:x}")
            segments.append((address, table))
            address += len(table)
        if self.btf_address is not None:
            segments.append((self.btf_address, self.btf))

        prog = Program(Platform(Architecture.X86_64))
        prog.set_linux_kernel_custom("\n".join(vmcoreinfo) + "\n", False)
        for start, data in segments:
            self._add(prog, start, data)
        return prog

    def _add(self, prog: Program, start: int, data: bytes) -> None:
        def read(address: int, count: int, offset: int, physical: bool) -> bytes:
            self.reads += 1
            return data[offset : offset + count]

        prog.add_memory_segment(start, len(data), read)


@pytest.fixture
def prog() -> Program:
    prog = Kernel(small_kernel().data()).program()
    attach_btf(prog)
    return prog


def test_struct_is_what_c_would_declare(prog: Program) -> None:
    assert str(prog.type("struct node")) == NODE
    assert sizeof(prog.type("struct node")) == 96


@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("enum state", "enum state {\n\tSTATE_BAD = -1,\n\tSTATE_GOOD = 1,\n}"),
        ("enum big", "enum big {\n\tHUGE = 1099511627776,\n\tTINY = -1,\n}"),
        ("atomic_t", "typedef struct {\n\tint counter;\n} atomic_t"),
        ("struct idr *", "struct idr *"),
        ("unsigned long", "unsigned long"),
        ("double", "double"),
    ],
)
def test_type(prog: Program, name: str, definition: str) -> None:
    assert str(prog.type(name)) == definition


@pytest.mark.parametrize(
    "name", ["struct opaque", "enum undefined", "union node", "state", "int_t"]
)
def test_type_that_is_not_defined(prog: Program, name: str) -> None:
    with pytest.raises(LookupError):
        prog.type(name)


def test_members_are_read(prog: Program) -> None:
    data = bytearray(96)
    struct.pack_into("<QQ16sQi4xqi?", data, 0, 0, 0, b"name", 5 | 7 << 3, 1, 1 << 40, 7, True)
    node = Object.from_bytes_(prog, "struct node", bytes(data))
    assert (node.flag.value_(), node.more.value_()) == (-3, 7)
    assert node.name.string_() == b"name"
    assert node.state.format_(type_name=False) == "STATE_GOOD"
    assert node.big.format_(type_name=False) == "HUGE"
    assert (node.a.value_(), node.b.value_(), node.ok.value_()) == (7, 7, True)


def test_pointers_behind_forward_declarations_lead_on(prog: Program) -> None:
    node = prog.type("struct node").member("fwd").type.type
    assert node.is_complete()
    assert node.member("name").offset == 16


@pytest.mark.parametrize(("encoding", "signed"), [(0, False), (SIGNED, True)])
def test_char_is_that_of_the_kernel(encoding: int, signed: bool) -> None:
    # drgn makes up a char to read VMCOREINFO.
    prog = Kernel(small_kernel(encoding).data()).program()
    attach_btf(prog)
    assert prog.type("char").is_signed == signed
    assert prog.type("struct node").member("name").type.type.is_signed == signed


@pytest.mark.parametrize(
    ("name", "type_name"),
    [
        ("map_idr", "struct idr"),
        ("panic_cpu", "atomic_t"),
        ("runqueues", "struct node"),
        ("linux_banner", "const char [16]"),
        ("__per_cpu_offset", "unsigned long [4]"),
    ],
)
def test_variable(prog: Program, name: str, type_name: str) -> None:
    variable = prog.variable(name)
    assert variable.type_.type_name() == type_name
    assert variable.address_ == SYMBOLS[name]
    assert prog[name].address_ == SYMBOLS[name]


def test_variable_of_a_type_without_tag(prog: Program) -> None:
    assert prog["tk_core"].timekeeper.address_ == SYMBOLS["tk_core"] + 8


@pytest.mark.parametrize(
    "name",
    [
        "prog_idr",  # There is less room for it than its type takes.
        "init_task",  # It has a type, and no symbol.
        "no_type",
        "schedule",
    ],
)
def test_variable_that_is_not_known(prog: Program, name: str) -> None:
    with pytest.raises(LookupError):
        prog.variable(name)


def test_function(prog: Program) -> None:
    function = prog.function("schedule")
    assert function.type_.type_name() == "void (int why)"
    assert function.address_ == SYMBOLS["schedule"]
    with pytest.raises(LookupError):
        prog.function("map_idr")


def test_constants(prog: Program) -> None:
    assert prog["STATE_BAD"].value_() == -1
    assert prog.constant("HUGE").value_() == 1 << 40
    assert prog["VERSION"].value_() == 0xFFFFFFFF
    assert prog["VERSION"].type_.kind == TypeKind.ENUM
    with pytest.raises(LookupError):
        prog.variable("STATE_BAD")


def test_nothing_is_found_by_file_name(prog: Program) -> None:
    with pytest.raises(LookupError):
        prog.type("struct node", "kernel/node.c")
    with pytest.raises(LookupError):
        prog.object("map_idr", filename="kernel/bpf/syscall.c")


def test_symbols(prog: Program) -> None:
    assert prog.symbol("schedule").address == SYMBOLS["schedule"]
    assert prog.symbol(SYMBOLS["schedule"] + 4).name == "schedule"
    with pytest.raises(LookupError):
        prog.symbol("no_such_symbol")


def test_symbols_that_share_a_name() -> None:
    encoder = small_kernel()
    encoder.add(VAR, "schedule", 1, 1)
    encoder.add(VAR, "single", 1, 1)
    local = {"schedule": STEXT + 0x200, "single": STEXT + 0x300}
    prog = Kernel(encoder.data(), local=local).program()
    attach_btf(prog)
    assert len(prog.symbols("schedule")) == 2
    assert prog.variable("schedule").address_ == SYMBOLS["schedule"], "the global one"
    assert prog.variable("single").address_ == STEXT + 0x300

    symbols = {name: address for name, address in SYMBOLS.items() if name != "map_idr"}
    local = {"map_idr": STEXT + 0x400, "map_odr": STEXT + 0x500}
    kernel = Kernel(encoder.data(), symbols, local)
    names = kernel.tables["kallsyms_names"]
    kernel.tables["kallsyms_names"] = names.replace(b"map_odr", b"map_idr")
    prog = kernel.program()
    attach_btf(prog)
    assert len(prog.symbols("map_idr")) == 2
    with pytest.raises(LookupError):
        prog.variable("map_idr")


def test_plugin_reads_nothing_before_it_must() -> None:
    kernel = Kernel(small_kernel().data())
    prog = kernel.program()
    drgn_prog_set(prog)
    assert kernel.reads == 0
    assert prog["map_idr"].address_ == SYMBOLS["map_idr"]
    read = kernel.reads
    assert read > 0
    assert prog.type("struct node").size == 96
    assert prog.symbol("schedule")
    attach_btf(prog)
    assert kernel.reads == read


def test_debug_info_comes_first() -> None:
    kernel = Kernel(small_kernel().data())
    prog = kernel.program()
    drgn_prog_set(prog)
    # Debug info that is loaded later answers before finders that come last.
    for enabled in (
        prog.enabled_type_finders(),
        prog.enabled_object_finders(),
        prog.enabled_symbol_finders(),
    ):
        assert enabled[-1] == "lkst_btf"
        assert len(enabled) > 1


def test_force_comes_before_debug_info() -> None:
    prog = Kernel(small_kernel().data()).program()
    attach_btf(prog)
    attach_btf(prog, force=True)
    assert prog.enabled_type_finders()[0] == "lkst_btf"
    assert prog.enabled_object_finders()[0] == "lkst_btf"
    assert prog["map_idr"].type_.type_name() == "struct idr"


def test_kernel_without_btf() -> None:
    symbols = {name: address for name, address in SYMBOLS.items() if name != "__start_BTF"}
    prog = Kernel(b"", symbols).program()
    with pytest.raises(BTFError, match="CONFIG_DEBUG_INFO_BTF"):
        attach_btf(prog)
    with pytest.raises(BTFError, match="CONFIG_DEBUG_INFO_BTF"):
        attach_btf(prog)
    # What can be had without it, and silence about the rest:
    assert prog.symbol("schedule").address == SYMBOLS["schedule"]
    with pytest.raises(LookupError):
        prog.type("struct node")


def test_kernel_without_kallsyms() -> None:
    kernel = Kernel(small_kernel().data())
    kernel.tables.clear()
    prog = kernel.program()
    drgn_prog_set(prog)
    with pytest.raises(LookupError):
        prog["map_idr"]
    with pytest.raises(BTFError, match="symbols"):
        attach_btf(prog)
    assert find_kallsyms(prog, "schedule", None, True) == []


def test_program_that_is_no_kernel() -> None:
    prog = Program(Platform(Architecture.X86_64))
    drgn_prog_set(prog)
    assert "lkst_btf" not in prog.registered_type_finders()
    with pytest.raises(BTFError):
        attach_btf(prog)


def test_btf_that_is_not_in_the_dump() -> None:
    kernel = Kernel(small_kernel().data(), SYMBOLS | {"__start_BTF": END + 0x10000})
    kernel.btf_address = None
    with pytest.raises(BTFError, match="cannot read"):
        attach_btf(kernel.program())


@pytest.mark.slow
def test_plugin_file_works_alone() -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[1:];"
        "from test_lkst_btf import Kernel, small_kernel;"
        "prog = Kernel(small_kernel().data()).program();"
        "print(prog['map_idr'].type_.type_name())"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parent), str(PLUGIN.parents[1])],
        env=os.environ | {"DRGN_PLUGINS": f"lkst_btf={PLUGIN}", "DRGN_DISABLE_PLUGINS": "*"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("struct idr\n", "")


def test_other_byte_order() -> None:
    btf = BTF(small_kernel().data(">"))
    type_id = btf.find("node", STRUCT)
    assert type_id is not None
    assert [member.name for member in btf.members(type_id)][:3] == ["next", "fwd", "name"]


def marked_kallsyms() -> dict[str, bytes]:
    """Encode symbols of which each 256th is marked, one of them with a long name."""
    letters = [f"T{chr(97 + n % 26)}_{n}" for n in range(700)] + ["t" + "long" * 50, "T_stext"]
    names = [name.encode() for name in letters]
    coded = [
        bytes([len(n) & 0x7F | 0x80, len(n) >> 7] if len(n) > 0x7F else [len(n)]) + n for n in names
    ]
    starts = [sum(map(len, coded[:number])) for number in range(0, len(coded), 256)]
    markers = struct.pack(f"<{len(starts)}I", *starts)
    return {
        "kallsyms_num_syms": struct.pack("<I", len(names)),
        "kallsyms_names": b"".join(coded) + bytes(-sum(map(len, coded)) % 8) + markers,
        "kallsyms_token_table": b"\0" + b"".join(bytes([i, 0]) for i in range(1, 256)),
        "kallsyms_token_index": struct.pack("<256H", 0, *range(1, 511, 2)),
        "kallsyms_offsets": struct.pack(f"<{len(names)}I", *range(0, 8 * len(names), 8)),
        "kallsyms_relative_base": struct.pack("<Q", STEXT - 8 * (len(names) - 1)),
    }


def marked_kernel(tables: dict[str, bytes]) -> Program:
    kernel = Kernel(b"")
    kernel.tables = tables
    return kernel.program()


def test_kallsyms_with_marks() -> None:
    prog = marked_kernel(marked_kallsyms())
    found = kallsyms.Kallsyms(prog)
    assert [symbol.address for symbol in found(prog, "_stext", None, False)] == [STEXT]
    (long,) = found(prog, None, STEXT - 5, True)
    assert (long.name, long.size, long.kind) == ("long" * 50, 8, SymbolKind.FUNC)
    assert [s.name for s in found(prog, None, None, False)][:3] == ["a_0", "b_1", "c_2"]
    assert found(prog, "a_1", None, False) == []


@settings(max_examples=100)
@given(st.data())
def test_damaged_kallsyms_do_no_harm(data: st.DataObject) -> None:
    tables = marked_kallsyms()
    for _ in range(data.draw(st.integers(1, 4))):
        name = data.draw(st.sampled_from(sorted(tables)))
        table = bytearray(tables[name])
        place = data.draw(st.integers(0, len(table) - 1))
        table[place] = data.draw(st.integers(0, 255))
        tables[name] = bytes(table)
    prog = marked_kernel(tables)
    try:
        found = kallsyms.Kallsyms(prog)
    except (FaultError, IndexError, KeyError, ValueError):
        return
    found(prog, None, None, False)
    found(prog, "a_0", None, False)
    found(prog, None, STEXT, False)


def test_index_is_the_same_without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small_kernel().data()
    at_once = BTF(data)
    with monkeypatch.context() as patch:
        patch.setattr(btf, "np", None)
        one_by_one = BTF(data)
    assert isinstance(one_by_one._by_name, dict)
    assert not isinstance(at_once._by_name, dict)
    assert list(at_once._offsets) == list(one_by_one._offsets)
    assert at_once._enums == one_by_one._enums
    assert one_by_one._by_name
    assert {key: at_once._by_name.get(key) for key in one_by_one._by_name} == one_by_one._by_name
    assert at_once._by_name.get(1 << 40) is None


def test_kallsyms_are_found_beside_debug_info(prog: Program) -> None:
    assert find_kallsyms(prog, "schedule", None, True)[0].address == SYMBOLS["schedule"]
    assert find_kallsyms(prog, None, SYMBOLS["schedule"] + 4, True)[0].name == "schedule"
    assert len(find_kallsyms(prog, None, None, False)) == len(SYMBOLS) + 2
    assert find_kallsyms(prog, "no_such_symbol", None, False) == []


# Damaged and hostile BTF


def everything(prog: Program, btf: BTF) -> Iterator[str]:
    """Look at all that BTF says about types, constants and variables with a name."""
    for name in sorted(set(re.findall(rb"[ -~]+", btf._strings))):
        word = name.decode()
        for type_name in (f"struct {word}", f"union {word}", f"enum {word}", word):
            with contextlib.suppress(BTFError, LookupError, SyntaxError):
                type_ = prog.type(type_name)
                yield str(type_)
                if type_.kind in (TypeKind.STRUCT, TypeKind.UNION):
                    for member in type_.members:
                        yield str(member.type)
        with contextlib.suppress(BTFError, LookupError):
            yield str(prog[word].type_)


def look_at(data: bytes) -> list[str]:
    prog = Kernel(data).program()
    try:
        btf = BTF(data)
    except BTFError:
        with pytest.raises(BTFError):
            attach_btf(prog)
        return []
    attach_btf(prog)
    return list(everything(prog, btf))


def test_look_at_sees_everything() -> None:
    seen = look_at(small_kernel().data())
    assert NODE in seen
    assert "enum big *" not in seen


@given(st.data())
@settings(max_examples=300)
def test_damage_has_one_exception(data: st.DataObject) -> None:
    blob = bytearray(small_kernel().data())
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.integers(0, len(blob) - 1))
        if data.draw(st.booleans()):
            blob[position] = data.draw(st.integers(0, 255))
        else:
            # Small numbers make other valid types.
            position = min(position & ~3, len(blob) - 4)
            blob[position : position + 4] = struct.pack("<I", data.draw(st.integers(0, 50)))
    look_at(bytes(blob))


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_noise_has_one_exception(noise: bytes) -> None:
    look_at(noise)
    look_at(small_kernel().data()[:24] + noise)


@pytest.mark.parametrize("size", [0, 1, 23, 24, 40, 500])
def test_cut_off(size: int) -> None:
    with pytest.raises(BTFError):
        BTF(small_kernel().data()[:size])


def test_more_members_than_there_are() -> None:
    encoder = small_kernel()
    encoder.add(STRUCT, "cut", 4, vlen=3)
    with pytest.raises(BTFError, match="cut off"):
        BTF(encoder.data())


def test_unknown_version() -> None:
    data = bytearray(small_kernel().data())
    data[2] = 2
    with pytest.raises(BTFError, match="version 2"):
        BTF(bytes(data))


def test_unknown_kind() -> None:
    encoder = Encoder()
    encoder.add(25, "new", 0)
    with pytest.raises(BTFError, match="kind 25"):
        BTF(encoder.data())


def hostile(build: str) -> Encoder:
    e = Encoder()
    int_ = e.integer("int", 4, SIGNED)
    if build == "contains itself":
        e.struct("bad", 8, ("self", 2, 0))
    elif build == "contains itself by detour":
        e.struct("bad", 8, ("array", 3, 0))
        e.array(4, 1)
        e.add(TYPEDEF, "bad_t", 2)
    elif build == "contains itself by forward declaration":
        e.struct("bad", 8, ("self", 3, 0))
        e.add(FWD, "bad", 0)
    elif build == "anonymous and points to itself":
        e.struct("bad", 8, ("", 3, 0))
        e.struct("", 8, ("self", 4, 0))
        e.pointer(3)
    elif build == "pointer to itself":
        e.struct("bad", 8, ("self", 3, 0))
        e.pointer(3)
    elif build == "typedef of itself":
        e.struct("bad", 8, ("self", 3, 0))
        e.add(TYPEDEF, "loop", 3)
    elif build == "function that takes itself":
        e.struct("bad", 8, ("self", 3, 0))
        e.pointer(4)
        e.proto(0, ("self", 3))
    elif build == "doubles at every level":
        e.struct("bad", 4, ("", 3, 0), ("", 3, 0))
        for level in range(4, 40):
            e.struct("", 4, ("", level, 0), ("", level, 0))
        e.struct("", 4, ("end", int_, 0))
    elif build == "deep":
        e.struct("bad", 8, ("deep", 3, 0))
        for level in range(4, 2000):
            e.pointer(level)
        e.integer("end", 4)
    elif build == "member outside":
        e.struct("bad", 4, ("far", int_, 64))
    elif build == "no such type":
        e.struct("bad", 4, ("lost", 99, 0))
    elif build == "no such string":
        e.add(STRUCT, "bad", 4, 1 << 20, int_, 0, vlen=1)
    elif build == "control characters":
        e.struct("bad", 4, ("\x1b[2J", int_, 0))
    elif build == "bit field of a structure":
        e.struct("bad", 4, ("bits", 3, 5 << 24), flag=1)
        e.struct("other", 4, ("a", int_, 0))
    elif build == "bit field wider than its type":
        e.struct("bad", 8, ("bits", int_, 60 << 24), flag=1)
    elif build == "variable as a type":
        e.struct("bad", 4, ("section", 3, 0))
        e.add(DATASEC, "section", 4)
    elif build == "array of functions":
        e.struct("bad", 4, ("calls", 3, 0))
        e.array(4, 0)
        e.proto(int_)
    elif build == "function that takes a function":
        e.struct("bad", 8, ("call", 3, 0))
        e.pointer(4)
        e.proto(0, ("", 5))
        e.proto(0)
    elif build == "number without a name":
        e.struct("bad", 4, ("", int_, 0))
    elif build == "odd integer":
        e.struct("bad", 4, ("odd", 3, 0))
        e.integer("odd", 7)
    elif build == "enum of no size":
        e.struct("bad", 4, ("enum", 3, 0))
        e.enum("none", 3, ONE=1)
    else:
        raise AssertionError(build)
    return e


@pytest.mark.parametrize(
    "build",
    [
        "contains itself",
        "contains itself by detour",
        "contains itself by forward declaration",
        "anonymous and points to itself",
        "pointer to itself",
        "typedef of itself",
        "function that takes itself",
        "doubles at every level",
        "deep",
        "member outside",
        "no such type",
        "no such string",
        "control characters",
        "bit field of a structure",
        "bit field wider than its type",
        "variable as a type",
        "array of functions",
        "function that takes a function",
        "number without a name",
        "odd integer",
        "enum of no size",
    ],
)
def test_hostile_type(build: str) -> None:
    prog = Kernel(hostile(build).data()).program()
    attach_btf(prog)
    with pytest.raises(BTFError):
        str(prog.type("struct bad"))
    assert sizeof(prog.type("int")) == 4, "the rest of the types remain"
