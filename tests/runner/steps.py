"""The steps that are gone through, and the programs that are run in them."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Failure(Exception):
    """What failed, in the words that people read; without any where a program has told already."""

    def __init__(self, text: str = "", code: int = 1) -> None:
        super().__init__(text)
        self.code = code


class Steps:
    """Tells of each step when it begins, and how long it took when the next one does."""

    def __init__(self) -> None:
        self.all_began = time.monotonic()
        self.began = self.all_began
        self.name = ""

    def seconds(self) -> int:
        """The time since the first began."""
        return int(time.monotonic() - self.all_began)

    def begin(self, name: str) -> None:
        """Ends the step before, and begins one."""
        self.end()
        self.name = name
        self.began = time.monotonic()
        print(f"\n=== {name}", flush=True)

    def end(self) -> None:
        """Ends the step that is gone through."""
        if self.name:
            took = int(time.monotonic() - self.began)
            print(f"=== {self.name}: done in {took} s ({self.seconds()} s in all)", flush=True)
        self.name = ""


def status(*command: Any, **more: Any) -> int:
    """Runs a program in the project's folder; its exit code. It ends when this program does."""
    child = subprocess.Popen([os.fspath(word) for word in command], cwd=ROOT, **more)
    try:
        return child.wait()
    finally:
        stop(child)


def call(*command: Any, **more: Any) -> None:
    """Runs a program, which must end well."""
    code = status(*command, **more)
    if code != 0:
        # As a shell tells of a program that a signal has ended.
        raise Failure(code=code if code > 0 else 128 - code)


def quiet(*command: Any) -> bool:
    """Whether a program, whose output is of no interest, ends well."""
    return status(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def stop(child: subprocess.Popen) -> None:
    """Ends a program that still runs; by force, where it takes long."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
