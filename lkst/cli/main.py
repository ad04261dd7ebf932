# SPDX-License-Identifier: GPL-2.0-or-later
"""
The command ``lkst``
--------------------

The table of commands. A command's module is imported when the command is used: starting a
recorder needs neither numpy nor drgn.
"""

from collections.abc import Iterator, Sequence
import contextlib
import importlib
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import click
from click.exceptions import Exit
from click.shell_completion import CompletionItem

import lkst
from lkst.errors import LkstError
from lkst.util.interrupts import deferred_interrupts

__all__ = ("cli", "main", "run")

#: Name of each command -> its module, one line of help.
COMMANDS = {
    "start": ("lkst.cli.start", "Start the recorder."),
    "stop": ("lkst.cli.start", "Stop the recorder."),
    "status": ("lkst.cli.start", "Show the state of the recorder."),
    "install": ("lkst.cli.install", "Start the recorder at each boot."),
    "uninstall": ("lkst.cli.install", "Do not start the recorder at boot any more."),
    "hook": ("lkst.cli.hook", "Save the recorder after a crash, before the dump."),
    "mask": ("lkst.cli.mask", "Choose which events are recorded, and how."),
    "handler": ("lkst.cli.handler", "Choose what happens when an event fires."),
    "trigger": ("lkst.cli.trigger", "Make the kernel act when a condition holds."),
    "buffer": ("lkst.cli.buffer", "Manage several sets of rings."),
    "probe": ("lkst.cli.probe", "Add events on functions of the kernel."),
    "mark": ("lkst.cli.mark", "Write a text into the rings."),
    "watch": ("lkst.cli.follow", "Print what triggers report, as it happens."),
    "log": ("lkst.cli.follow", "Write all records to files, continuously."),
    "heartbeat": ("lkst.cli.follow", "Make the kernel act when user space hangs."),
    "events": ("lkst.cli.read", "Show the catalogue of events."),
    "list": ("lkst.cli.read", "Show which recorders a source holds."),
    "replay": ("lkst.cli.read", "Print the sequence of events up to the panic."),
    "state": ("lkst.cli.state", "Show where the machine died, and what looks wrong."),
    "measure": ("lkst.cli.measure", "Find out what was slow, how often, and when."),
    "sql": ("lkst.cli.sql", "Query a trace in SQL."),
    "counts": ("lkst.cli.read", "Show what was counted instead of recorded."),
    "report": ("lkst.cli.report", "Write an HTML page about a trace."),
    "save": ("lkst.cli.read", "Save the trace of a source to a file."),
    "slice": ("lkst.cli.read", "Cut out the smallest vmcore that still replays."),
}


@contextlib.contextmanager
def _enough() -> Iterator[None]:
    """Exit with status 0 if the reader of the output closes it, as "head" does."""
    try:
        yield
    except BrokenPipeError:
        # click would exit with an error.
        raise Exit(0) from None


class _Commands(click.Group):
    """Commands whose modules are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _enough():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        with _enough():
            return super().invoke(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        with deferred_interrupts():
            module = importlib.import_module(COMMANDS[cmd_name][0])
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # Without importing the modules of all commands.
        own = click.Command.shell_complete(self, ctx, incomplete)
        found = [(name, help_) for name, (_, help_) in COMMANDS.items()]
        return own + [
            CompletionItem(name, help=help_) for name, help_ in found if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in COMMANDS.items()])


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(lkst.__version__, prog_name="lkst")
def cli() -> None:
    """
    Record the kernel's events, and replay them after a panic.

    \b
    SOURCE is one of
      FILE          a vmcore (ELF, kdump-compressed or flattened; whole or cut off;
                    plain or compressed with gzip, xz, bzip2, lz4 or zstd), a grab
                    of 'lkst hook', or a trace of 'lkst save'
      FILE FILE...  all parts of a split vmcore: dump.1 dump.2
      FOLDER        a folder with a vmcore, with all parts of one, or with traces
      live          the recorder of this machine
      kcore         the memory of this machine: /proc/kcore
      qemu:ADDRESS  a guest of QEMU, by its QMP socket
    """  # noqa: D301


#: Delay after which an interrupt that could not be handled is sent again.
_AGAIN_SECONDS = 0.05


@contextlib.contextmanager
def _interrupts() -> Iterator[None]:
    """
    Make whatever an interrupt becomes on its way a KeyboardInterrupt again.

    Libraries that call back into Python turn it into errors of their own.
    """
    before = signal.getsignal(signal.SIGINT)
    main_thread = threading.main_thread().ident
    interrupted = False
    again: threading.Timer | None = None

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        assert callable(before)
        before(number, frame)

    def interrupt_again(unraisable: Any) -> None:
        # An interrupt in a callback, as of the import system, raises where nobody can catch it.
        # Send it again a moment later, as a signal, which ends a sleep as well.
        nonlocal again
        if unraisable.exc_type is not KeyboardInterrupt:
            hook(unraisable)
            return
        if again:
            again.cancel()
        again = threading.Timer(_AGAIN_SECONDS, signal.pthread_kill, (main_thread, signal.SIGINT))
        again.daemon = True
        again.start()

    hook = sys.unraisablehook
    handles = callable(before) and threading.current_thread() is threading.main_thread()
    if handles:
        signal.signal(signal.SIGINT, handle)
        sys.unraisablehook = interrupt_again
    try:
        yield
    except Exit:
        raise
    except Exception:
        if interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        if handles:
            sys.unraisablehook = hook
            if again:
                # It is not meant for our caller.
                again.cancel()
            signal.signal(signal.SIGINT, before)


def run(
    arguments: Sequence[str], *, name: str = "lkst", context: object = None, usage: bool = True
) -> int:
    """
    Run a command, in any host.

    :param arguments: words after ``lkst``
    :param context: object that commands get as ``click.Context.obj``
    :param usage: whether to print the usage of an invalid command; the host may do it
    :return: exit status; messages are on standard error
    """
    try:
        with _interrupts():
            result = cli.main(list(arguments), prog_name=name, standalone_mode=False, obj=context)
    except Exit as error:
        return error.exit_code
    except click.Abort:
        return 130
    except click.ClickException as error:
        if usage or not isinstance(error, click.UsageError):
            error.show()
        else:
            click.echo(f"{name}: {error.format_message()}", err=True)
        return error.exit_code
    except LkstError as error:
        click.echo(f"lkst: {error}", err=True)
        return error.status
    except KeyboardInterrupt:
        return 130
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "drgn":
            raise
        click.echo(f"lkst: {needs_drgn()}", err=True)
        return LkstError.status
    except MemoryError:
        click.echo("lkst: not enough memory", err=True)
        return LkstError.status
    except OSError as error:
        click.echo(f"lkst: {error}", err=True)
        return LkstError.status
    return result if isinstance(result, int) else 0


def needs_drgn() -> str:
    """Return a message about the drgn that is needed and the one installed."""
    try:
        import drgn

        return f"needs drgn 0.3 or later, found drgn {drgn.__version__}"
    except (ImportError, AttributeError):
        return "needs drgn 0.3 or later, which is not installed"


def main() -> None:
    """Run the command line of this process."""
    status = run(sys.argv[1:])
    # Nothing is left to interrupt, and Python would print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Suppress Python's message at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)
