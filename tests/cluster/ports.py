"""Free ports, and whether something answers on one."""

import random
import socket

from .console import Failure

HOST = "127.0.0.1"


class FreePorts:
    """Gives each port out once.

    They lie below 32768, where the system takes no ports for outgoing connections from: a stopped
    broker must find its port free when it starts again.
    """

    def __init__(self) -> None:
        self.given: set[int] = set()

    def pick(self) -> int:
        """A port on which nothing listens."""
        for _ in range(200):
            port = random.randrange(20000, 32000)
            if port not in self.given and not connects(port):
                self.given.add(port)
                return port
        raise Failure("no free port found between 20000 and 32000")


def connects(port: int) -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection((HOST, port), timeout=2).close()
        return True
    except OSError:
        return False


def broker_answers(port: int) -> bool:
    """Whether a broker serves there: it takes connections long before; only an answer counts."""
    # ApiVersions (key 18), version 0, correlation id 1, no client id, behind the length of it all.
    request = b"\0\0\0\x0a" b"\0\x12" b"\0\0" b"\0\0\0\1" b"\xff\xff"
    return answer(port, request, 1, timeout=2) != b""


def registry_answers(port: int) -> bool:
    """Whether the registry serves its subjects there."""
    request = b"GET /apis/ccompat/v7/subjects HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
    status = answer(port, request, len(b"HTTP/1.1 200 "), timeout=5)
    return status.startswith(b"HTTP/") and status.endswith(b" 200 ")


def answer(port: int, request: bytes, most: int, timeout: float) -> bytes:
    """The first bytes of an answer, up to so many; none where there is no connection or answer."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout) as connection:
            connection.sendall(request)
            return connection.recv(most)
    except OSError:
        return b""
