"""What can be done to a cluster that `up` has started. Each command gives its exit code."""

import signal
from pathlib import Path

from . import brokers, rights
from .console import Failure, say
from .files import port_of, remove_leftovers
from .java import need_java
from .processes import names, pid, running, send, stop


def down(folder: Path) -> int:
    """Stops all of it and deletes its data; the logs stay."""
    who = names(folder)
    if not who:
        say(f"nothing to stop in {folder}")
        return 0
    stop(folder, who)
    remove_leftovers(folder)
    say(f"down; the logs are in {folder}")
    return 0


def status(folder: Path) -> int:
    """Says which processes run; 1 unless all do."""
    who = names(folder)
    if not who:
        say(f"no cluster in {folder}")
        return 1
    code = 0
    for name in who:
        port = port_of(folder, name)
        if running(folder, name):
            print(f"{name}: running, pid {pid(folder, name)}, port {port}")
        else:
            print(f"{name}: stopped, port {port}")
            code = 1
    return code


def stop_broker(folder: Path, number: int, kill: bool) -> int:
    """Stops a broker in good order, or at once as a crash would."""
    stop(folder, [brokers.name(number)], signal.SIGKILL if kill else signal.SIGTERM)
    say(f"broker {number} stopped")
    return 0


def start_broker(folder: Path, number: int) -> int:
    """Starts a stopped broker again, on its port and data."""
    need_java()
    if running(folder, brokers.name(number)):
        raise Failure(f"broker {number} runs already")
    brokers.start(folder, number)
    brokers.wait(folder, number)
    say(f"broker {number} started")
    return 0


def pause_broker(folder: Path, number: int) -> int:
    """Holds a broker still."""
    need_running(folder, number)
    send(folder, brokers.name(number), signal.SIGSTOP)
    say(f"broker {number} paused")
    return 0


def resume_broker(folder: Path, number: int) -> int:
    """Lets a broker go on."""
    need_running(folder, number)
    send(folder, brokers.name(number), signal.SIGCONT)
    say(f"broker {number} resumed")
    return 0


def elect_leaders(folder: Path) -> int:
    """Gives every partition to the first of its replicas."""
    brokers.elect_leaders(first_address(folder))
    say("leaders elected")
    return 0


def forbid_writer(folder: Path) -> int:
    """Takes its rights from the user writer of a --secure cluster."""
    rights.take_from_writer(folder, first_address(folder))
    say("the user writer may do nothing now")
    return 0


def need_running(folder: Path, number: int) -> None:
    """Fails where a broker doesn't run."""
    if not running(folder, brokers.name(number)):
        raise Failure(f"broker {number} is not running")


def first_address(folder: Path) -> str:
    """The address of the first broker, for Kafka's tools."""
    need_java()
    if not (folder / "broker-1.port").exists():
        raise Failure(f"no cluster in {folder}: `cluster up --dir {folder}` starts one")
    return f"127.0.0.1:{port_of(folder, 'broker-1')}"
