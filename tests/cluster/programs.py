"""Programs that do one thing and end: in bounded time, with what they print in a log."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Optional, Sequence


def start(command: Sequence[str], log: Path) -> subprocess.Popen:
    """Starts a program in a session of its own, so that it can be ended with all that it starts."""
    with open(log, "wb") as out:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                stderr=subprocess.STDOUT, start_new_session=True)


def finish(child: subprocess.Popen, limit: float) -> Optional[int]:
    """Waits for a program; its exit code, or None where it took longer. It has ended then too."""
    try:
        return child.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        end(child)


def end(child: subprocess.Popen) -> None:
    """Ends a program that still runs, at once."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def run(command: Sequence[str], log: Path, limit: float) -> Optional[int]:
    """Runs a program; its exit code, or None where it took longer than it may."""
    return finish(start(command, log), limit)
