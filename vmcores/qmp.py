# SPDX-License-Identifier: GPL-2.0-or-later
"""Talk to QEMU's monitor (QMP): one JSON object a line, in both directions."""

from collections import deque
import json
import socket
from typing import Any

from tools import LabError

__all__ = ("Framer", "Qmp", "QmpError")

Message = dict[str, Any]


class QmpError(LabError):
    """QEMU refused a command."""


class Framer:
    """Cut a stream of bytes into lines, whatever the pieces it arrives in."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Take some bytes and return the lines that they complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode(errors="replace").strip("\r") for line in lines]


class Qmp:
    """A connection to a guest's monitor."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.events: deque[Message] = deque()
        """Events that have arrived and that nobody has taken."""
        self._framer = Framer()
        self._answers: deque[Message] = deque()

    def receive(self) -> bool:
        """
        Take in what QEMU has sent; wait for it if there is nothing.

        :return: false if QEMU has closed the connection
        """
        data = self.socket.recv(1 << 16)
        for line in self._framer.feed(data):
            if line:
                message: Message = json.loads(line)
                if "event" in message:
                    self.events.append(message)
                elif "QMP" not in message:
                    self._answers.append(message)
        return bool(data)

    def execute(self, command: str, **arguments: Any) -> Any:
        """
        Run a command and return its result.

        :raises QmpError: if QEMU refuses it or has gone
        """
        request: Message = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        try:
            self.socket.sendall(json.dumps(request).encode() + b"\n")
            while not self._answers:
                if not self.receive():
                    raise QmpError(f"{command}: QEMU has gone")
        except OSError as error:
            raise QmpError(f"{command}: {error}") from None
        answer = self._answers.popleft()
        if "error" in answer:
            raise QmpError(f"{command}: {answer['error'].get('desc')}")
        return answer.get("return")
