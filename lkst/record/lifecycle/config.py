# SPDX-License-Identifier: GPL-2.0-or-later
"""
The recorder's configuration
----------------------------

The settings of ``lkst start``: ``/etc/lkst/lkst.toml``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lkst.errors import LkstError, Usage
from lkst.record.names import check_name
from lkst.record.probe.definition import Probe, check_event_name, read_probe
from lkst.record.trigger.actions import MIN_DURATION, Actions, parse_actions
from lkst.record.trigger.syntax import normalised, parse
from lkst.util.toml_table import Table, parse_table
from lkst.util.units import Rate, parse_duration, parse_rate, parse_size

__all__ = (
    "CONFIG",
    "DEFAULT_CONFIG_TEXT",
    "BufferConfig",
    "Config",
    "Heartbeat",
    "Trigger",
    "UserHandler",
    "load_config",
    "parse_config",
)

CONFIG = Path("/etc/lkst/lkst.toml")

_SECOND = 10**9
# Sensible sizes have fewer characters.
_MAX_SIZE = 30


@dataclass(frozen=True)
class BufferConfig:
    """An additional buffer."""

    name: str
    #: Size of each CPU's ring, in bytes.
    size: int


@dataclass(frozen=True)
class Trigger:
    """A condition, and the actions to take when it holds."""

    name: str
    #: For :func:`lkst.record.trigger.compile.compile_expression`; only the syntax is checked.
    when: str
    do: Actions
    #: None: no limit.
    at_most: Rate | None = None


@dataclass(frozen=True)
class UserHandler:
    """A handler of the user."""

    name: str
    #: Its BPF object.
    file: Path


@dataclass(frozen=True)
class Heartbeat:
    """The heartbeat of user space, and the actions to take when it is missing."""

    #: Period, in ns.
    every: int = 1 * _SECOND
    #: Time without a heartbeat after which it is missing, in ns.
    miss: int = 5 * _SECOND
    do: Actions = field(default_factory=lambda: Actions(notify=True))


@dataclass(frozen=True)
class Config:
    """The content of the file."""

    maskset: str = "default"
    #: Size of each CPU's ring, in bytes; None: the default size, or what fits into memory.
    size: int | None = None
    #: Folder for the trace of a recorder that is replaced; None: it is not saved.
    save_old: Path | None = Path("/var/lib/lkst")
    buffers: tuple[BufferConfig, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    handlers: tuple[UserHandler, ...] = ()
    probes: tuple[Probe, ...] = ()
    #: None: no heartbeat.
    heartbeat: Heartbeat | None = None


DEFAULT_CONFIG_TEXT = """\
# What "lkst start --config" sets up: see lkst.toml(5). A line that starts with "#" and
# no space shows a default or an example. Remove the "#" to set it.

# The maskset to activate: which events are recorded, and how. See "lkst mask".
#maskset = "default"

# Size of each CPU's ring. Default: 1M, or less if the rings of all possible CPUs would
# take too much memory.
#size = "1M"

# Folder for the trace of a recorder that is replaced; "": do not save the trace.
#save_old = "/var/lib/lkst"

# Spare buffers, to which a trigger's action "switch" writes.
#[[buffer]]
#name = "spare"
#size = "1M"

# Handlers of your own: compiled BPF objects.
#[[handler]]
#name = "mine"
#file = "/etc/lkst/handlers/mine.bpf.o"

# Events of your own: see "lkst probe add".
#[[probe]]
#name = "reads"
#target = "vfs_read"
#fields = ["count", "file->f_path.dentry->d_name.name:str", "ret"]
#return = true
#stack = false
#if = "count > 4096"
#limit = 1000

# Triggers: when the condition holds, the kernel carries out the actions. "do" is one or
# several of: notify, stack, switch, freeze, freeze after 2000, mask=NAME, mask=NAME for 5s.
#[[trigger]]
#name = "oom"
#when = "mark_victim"
#do = "notify, mask=all for 5s"
#at_most = "10/s"

# The heartbeat of user space, and what the kernel does if it stops.
#[heartbeat]
#every = "1s"
#miss = "5s"
#do = "notify"
"""


def load_config(path: Path = CONFIG) -> Config:
    """
    Read the configuration; without a file, return the defaults.

    :raises Usage: one line for each invalid key
    :raises LkstError: if the file cannot be read
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Config()
    except UnicodeDecodeError:
        raise Usage(f"{path}: is not a text file") from None
    except OSError as error:
        raise LkstError(f"{path}: {error.strerror}") from None
    return parse_config(text, str(path))


def parse_config(text: str, where: str) -> Config:
    """
    Read a configuration.

    :param where: name of the text in messages, such as a file
    :raises Usage: one line for each invalid key
    """
    return parse_table(text, where, _read_config)


def _read_config(table: Table) -> Config | None:
    default = Config()
    maskset = table.text("maskset", _name("maskset"), default.maskset)
    size = table.text("size", _size)
    save_old = table.text("save_old", _folder, str(default.save_old))
    buffers = table.tables("buffer", _read_buffer)
    triggers = table.tables("trigger", _read_trigger)
    handlers = table.tables("handler", _read_handler)
    probes = table.tables("probe", _read_probe)
    heartbeat = table.table("heartbeat", _read_heartbeat)
    if maskset is None or save_old is None:
        return None
    old = Path(save_old) if save_old else None
    return Config(maskset, size, old, buffers, triggers, handlers, probes, heartbeat)


def _read_buffer(table: Table) -> BufferConfig | None:
    name = table.text("name", _name("buffer"))
    size = table.text("size", _size)
    table.need("name", "size")
    return None if name is None or size is None else BufferConfig(name, size)


def _read_trigger(table: Table) -> Trigger | None:
    name = table.text("name", _name("trigger"))
    when = table.text("when", _condition)
    do = table.text("do", parse_actions)
    at_most = table.text("at_most", parse_rate)
    table.need("name", "when", "do")
    return None if name is None or when is None or do is None else Trigger(name, when, do, at_most)


def _read_handler(table: Table) -> UserHandler | None:
    name = table.text("name", _name("handler"))
    file = table.text("file", _file)
    table.need("name", "file")
    return None if name is None or file is None else UserHandler(name, file)


def _read_probe(table: Table) -> Probe | None:
    name = table.text("name", check_event_name)
    table.need("name")
    return None if name is None else read_probe(name, table)


def _read_heartbeat(table: Table) -> Heartbeat | None:
    default = Heartbeat()
    every = table.text("every", _duration, default.every)
    miss = table.text("miss", _duration, default.miss)
    do = table.text("do", parse_actions, default.do)
    if every is None or miss is None or do is None:
        return None
    if miss <= every:
        table.wrong("miss", "must be longer than 'every'")
    return Heartbeat(every, miss, do)


def _name(kind: str) -> Callable[[str], str]:
    return lambda text: check_name(kind, text)


def _size(text: str) -> int:
    if len(text) > _MAX_SIZE:
        raise Usage("not a size: use 512K, 1M, 1G")
    size = parse_size(text)
    if not size:
        raise Usage("a size of 0 holds no record")
    return size


def _duration(text: str) -> int:
    return parse_duration(text, MIN_DURATION)


def _condition(text: str) -> str:
    parse(text)
    return normalised(text)


def _folder(text: str) -> str:
    return str(_file(text)) if text else ""


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute() or "\0" in text:
        raise Usage(f"{text!r} is not an absolute path: use /...")
    return path
