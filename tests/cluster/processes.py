"""The processes of a cluster: each has its pid in NAME.pid and what it prints in NAME.log."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterable, Sequence

from .console import Failure, say, show_end
from .interrupts import held

START_LIMIT = 90  # seconds
STOP_LIMIT = 15


def names(folder: Path) -> list[str]:
    """broker-1 ... and registry, as far as this cluster has them."""
    found = sorted(path.stem for path in folder.glob("broker-*.properties"))
    if (folder / "registry.port").exists():
        found.append("registry")
    return found


def pid_file(folder: Path, name: str) -> Path:
    """Where a process's pid is kept."""
    return folder / f"{name}.pid"


def pid(folder: Path, name: str) -> int:
    """The pid that was kept, or 0."""
    try:
        return int(pid_file(folder, name).read_text())
    except (OSError, ValueError):
        return 0


def need_ps() -> None:
    """Fails where nobody tells which processes live: what is started could not be stopped."""
    if not shutil.which("ps"):
        raise Failure("ps is needed to look after processes (on Debian: apt-get install procps)")


def running(folder: Path, name: str) -> bool:
    """Whether a process lives.

    A pid can pass to another program after a crash or a restart of the machine, so its command
    line must name the folder too.
    """
    number = pid(folder, name)
    if not number:
        return False
    for pause in (0, 0.2):
        # Twice, since a program that has just been started has no command line for a moment.
        time.sleep(pause)
        told = command_line(number)
        if f"{folder}/" in told:
            return True
        if not told:
            return False
    return False


def command_line(number: int) -> str:
    """The command line of a process; empty where there is none."""
    # -ww: all of it, however narrow the terminal is said to be.
    return subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(number)],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          errors="replace").stdout


def launch(folder: Path, name: str, command: Sequence[str]) -> None:
    """Starts a process, in a session of its own: deaf to the terminal's hang-up and interrupts."""
    # A process whose pid is not kept would never be stopped.
    with held(), open(folder / f"{name}.log", "ab") as log:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT, start_new_session=True)
        pid_file(folder, name).write_text(f"{child.pid}\n")


def wait_for(folder: Path, name: str, port: int, answers: Callable[[int], bool]) -> None:
    """Waits until a process answers on its port; fails as soon as the process is gone."""
    log = folder / f"{name}.log"
    deadline = time.monotonic() + START_LIMIT
    while not answers(port):
        if not running(folder, name):
            show_end(log, 30)
            raise Failure(f"{name} ended while it started; the end of {log} is above")
        if time.monotonic() > deadline:
            show_end(log, 30)
            raise Failure(f"{name} gave no answer on port {port} within {START_LIMIT} s;"
                          f" the end of {log} is above")
        time.sleep(0.1)


def send(folder: Path, name: str, number: int) -> None:
    """Sends a signal to a process, if it still lives."""
    if running(folder, name):
        try:
            os.kill(pid(folder, name), number)
        except ProcessLookupError:
            pass  # It has just ended.


def stop(folder: Path, who: Iterable[str], number: int = signal.SIGTERM) -> None:
    """Stops processes by a signal, and kills what is still there after a while.

    All are signalled first, since the last broker of three cannot leave in good order on its own
    and would wait for the others.
    """
    who = list(who)
    deadline = time.monotonic() + STOP_LIMIT
    for name in who:
        send(folder, name, number)
    for name in who:
        while running(folder, name):
            if time.monotonic() > deadline:
                say(f"{name} did not stop within {STOP_LIMIT} s: killed")
                send(folder, name, signal.SIGKILL)
            time.sleep(0.1)
        pid_file(folder, name).unlink(missing_ok=True)
