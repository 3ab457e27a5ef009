"""Signals that ask this program to end."""

import signal
import sys
from contextlib import contextmanager
from typing import Iterator

ASKED_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_in_order() -> None:
    """Has them raise SystemExit, so that what was begun is cleaned up."""
    for number in ASKED_TO_END:
        # Who started this program may want it deaf to one of them.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))


@contextmanager
def held() -> Iterator[None]:
    """Has them wait until a step is done that may not be left half way."""
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in ASKED_TO_END}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        sys.exit(128 + came[0])
