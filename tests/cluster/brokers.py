"""Kafka brokers: their storage, their start, the leaders of their partitions."""

import base64
import os
import subprocess
import time
from pathlib import Path
from typing import Optional

from . import processes, programs
from .console import Failure, show_end
from .files import port_of
from .java import kafka
from .ports import broker_answers

FORMAT_LIMIT = 60  # seconds

#: Users by SCRAM are kept in the storage of a cluster, so they are made with it.
SCRAM_USERS = [f"{mechanism}=[name={user},password=scram-secret]"
               for user in ("writer", "limited")
               for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")]


def name(number: int) -> str:
    """The name of a broker's process and files."""
    return f"broker-{number}"


def settings(folder: Path, number: int) -> Path:
    """The properties of a broker."""
    return folder / f"{name(number)}.properties"


def format_storage(folder: Path, numbers: list[int], secure: bool) -> None:
    """Formats the storage of all brokers, side by side."""
    # A cluster's id is 16 bytes in URL-safe base64; '-' may not come first.
    cluster_id = base64.b64encode(os.urandom(16), altchars=b"AB").decode()[:22]
    users = [word for user in SCRAM_USERS for word in ("--add-scram", user)] if secure else []
    formatting = []
    began = time.monotonic()
    try:
        for number in numbers:
            command = kafka("kafka.tools.StorageTool", "format", "-t", cluster_id,
                            "-c", str(settings(folder, number)), *users)
            formatting.append(programs.start(command, folder / f"{name(number)}.log"))
        for number, child in zip(numbers, formatting):
            left = max(FORMAT_LIMIT - (time.monotonic() - began), 0.1)
            check_formatted(folder, number, programs.finish(child, left))
    finally:
        for child in formatting:
            programs.end(child)


def check_formatted(folder: Path, number: int, code: Optional[int]) -> None:
    """Fails unless the tool that formats ended well."""
    if code is None:
        raise Failure(f"formatting the storage of broker {number} took more than {FORMAT_LIMIT} s")
    if code != 0:
        show_end(folder / f"{name(number)}.log")
        raise Failure("a broker's storage could not be formatted: see above")


def start(folder: Path, number: int) -> None:
    """Starts a broker, without waiting for it."""
    command = kafka("kafka.Kafka", str(settings(folder, number)), options=("-Xms512m", "-Xmx512m"))
    processes.launch(folder, name(number), command)


def wait(folder: Path, number: int) -> None:
    """Waits until a broker serves."""
    processes.wait_for(folder, name(number), port_of(folder, name(number)), broker_answers)


def elect_leaders(bootstrap: str) -> None:
    """Gives every partition to the first of its replicas."""
    command = kafka("org.apache.kafka.tools.LeaderElectionCommand",
                    "--bootstrap-server", bootstrap,
                    "--election-type", "preferred", "--all-topic-partitions")
    # Refused while a broker that was started again still catches up.
    for turn in range(10):
        if turn:
            time.sleep(1)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace")
        if done.returncode == 0:
            return
    raise Failure(f"leaders could not be elected: {done.stdout.strip()}")
