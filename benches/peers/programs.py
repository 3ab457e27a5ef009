"""Programs that are run in bounded time, and Kafka's tools among them."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator, NoReturn, Optional

from kafka import ROOT, fail

#: Compared here: fleetstorm's records by this topic, the peers' too.
PREFIX = "vs-peers-"
TOPIC = f"{PREFIX}telemetry"
WORK = ROOT / "target" / "vs-peers"


@dataclass
class Command:
    """A program with its arguments, and variables that it gets besides the usual ones."""

    words: list[str]
    variables: dict[str, str] = field(default_factory=dict)


class TooLong(Exception):
    """The time that a program has is over."""


def raise_too_long(_number: int, _frame: Any) -> NoReturn:
    """What SIGALRM does."""
    raise TooLong


@contextmanager
def running(command: Command, seconds: float, cwd: Optional[Path] = None,
            **files: Any) -> Iterator[subprocess.Popen]:
    """Starts a program in a session of its own, which ends with it after so many seconds, or when
    this program is told to end."""
    child = subprocess.Popen(command.words, cwd=cwd or ROOT, stdin=subprocess.DEVNULL,
                             env=dict(os.environ, **command.variables), start_new_session=True,
                             **files)
    signal.signal(signal.SIGALRM, raise_too_long)
    signal.alarm(int(seconds))
    try:
        yield child
    except TooLong:
        fail(f"{command.words[0]} took more than {seconds} s")
    finally:
        signal.alarm(0)
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def ended(child: subprocess.Popen, log: Path) -> Any:
    """Waits until a program ends, which it should do well. Returns what it used."""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        fail_by_log(log, f"{child.args[0]} ended with status {child.returncode}")  # type: ignore
    return usage


def limited(seconds: float, log: Path, command: Command, cwd: Optional[Path] = None) -> None:
    """Runs a program to its end, its output appended to a file."""
    with open(log, "ab") as out:
        with running(command, seconds, cwd, stdout=out, stderr=subprocess.STDOUT) as child:
            ended(child, log)


def fail_by_log(log: Path, text: str) -> NoReturn:
    """Ends with the end of a log, and what went wrong."""
    lines = log.read_text(errors="replace").splitlines()
    sys.stderr.writelines(f"{line}\n" for line in lines[-20:])
    fail(f"{text}; the end of {log} is above")


def java_tool(name: str, *arguments: str, quick: bool = False) -> Command:
    """One of Kafka's tools. Those for what is done in between are quick: they start sooner."""
    words = ["java", "-cp", f"{ROOT}/target/cluster/kafka/*",
             f"-Dlog4j2.configurationFile={ROOT}/tests/cluster/log4j2.properties",
             f"org.apache.kafka.tools.{name}", *arguments]
    variables = {"JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"} if quick else {}
    return Command(words, variables)
