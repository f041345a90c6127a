"""Bytes of HTTP/1.1 on a socket, as a test wants them and not as a client library would."""

import socket


class Answers:
    """Reads responses off a connection, one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self._stream = connection.makefile("rb")

    def next(self) -> tuple[int, dict[str, str], bytes]:
        line = self._stream.readline()
        if not line:
            return 0, {}, b""
        headers: dict[str, str] = {}
        while (header := self._stream.readline().strip()) != b"":
            name, _, value = header.decode().partition(": ")
            headers[name] = value
        return int(line.split()[1]), headers, self._stream.read(int(headers.get("content-length", 0)))

    def ended(self) -> bool:
        try:
            return self._stream.read(1) == b""
        except ConnectionResetError:
            return True
