"""The broker that is compared against."""

import os
import re
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional

from kafka import FLEETSTORM, ROOT, end_in_order, fail, kafka

from .programs import PREFIX, TOPIC, WORK, fail_by_log, java_tool, limited

PARTITIONS = 6
CLUSTER = "vs-peers"
START_LIMIT = 20  # seconds


@dataclass
class Broker:
    """A broker and a registry."""

    name: str
    bootstrap: str
    registry: str
    pid: int
    logs: Optional[Path] = None  # Kafka's, whose topics are made by its tools

    def new_topic(self) -> None:
        """Makes an empty topic, where the broker is Kafka.

        Each run has one of its own: the last one's records are deleted with their topic.
        """
        if self.logs:
            self.topics("--delete", "--if-exists", "--topic", TOPIC)
            self.topics("--create", "--topic", TOPIC, "--partitions", str(PARTITIONS))

    def topics(self, *arguments: str) -> None:
        """Calls Kafka's tool for topics."""
        limited(60, WORK / "topics.log", java_tool(
            "TopicCommand", "--bootstrap-server", self.bootstrap, *arguments, quick=True))

    def kept(self) -> Optional[int]:
        """The bytes of the topic in the broker's logs; None where there are none."""
        if not self.logs:
            return None
        return sum(path.stat().st_size for path in self.logs.glob(f"{TOPIC}-*/*.log")) or None


@contextmanager
def serving(kind: str) -> Iterator[Broker]:
    """Starts a broker, and stops it, however it ends."""
    with (apache_kafka if kind == "kafka" else embedded)() as broker:
        yield broker


@contextmanager
def apache_kafka() -> Iterator[Broker]:
    """One broker of Apache Kafka."""
    # What is deleted goes at once, for the disk's sake.
    with kafka(CLUSTER, "--set", "log.segment.delete.delay.ms=1000") as there:
        folder = ROOT / "target" / "cluster" / CLUSTER
        jar = next((ROOT / "target" / "cluster" / "kafka").glob("kafka-server-[0-9]*.jar"))
        version = jar.stem.replace("kafka-server-", "")
        yield Broker(f"Apache Kafka {version}, one broker", there["FLEETSTORM_TEST_BOOTSTRAP"],
                     there["FLEETSTORM_TEST_REGISTRY"],
                     int((folder / "broker-1.pid").read_text()), folder / "data-1")


@contextmanager
def embedded() -> Iterator[Broker]:
    """The program's own, in another process."""
    end_in_order()
    log = WORK / "embedded.log"
    with open(log, "wb") as out:
        # It makes the topics before it holds itself open.
        child = subprocess.Popen(
            [FLEETSTORM, "run", "--keep", "--records", "0", "--topics", "telemetry",
             "--topic-prefix", PREFIX, "--partitions", str(PARTITIONS)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    try:
        bootstrap, registry = addresses(child, log)
        yield Broker("The embedded broker of another process", bootstrap, registry, child.pid)
    finally:
        child.terminate()
        child.wait()


def addresses(child: subprocess.Popen, log: Path) -> tuple[str, str]:
    """The addresses of broker and registry, once the program has printed them."""
    deadline = time.monotonic() + START_LIMIT
    host = r"(?:127\.0\.0\.1|localhost):[0-9]+"
    while True:
        text = log.read_text(errors="replace")
        registry = re.search(rf"http://{host}[^ \n]*", text)
        bootstrap = re.search(host, re.sub(r"http://[^ \n]*", "", text))
        if registry and bootstrap:
            return bootstrap.group(), registry.group()
        if child.poll() is not None:
            fail_by_log(log, "fleetstorm run --keep ended")
        if time.monotonic() > deadline:
            fail(f"fleetstorm run --keep printed no addresses within {START_LIMIT} s: see {log}")
        time.sleep(0.2)


def busy(pid: int) -> Optional[tuple[float, float]]:
    """Processor seconds so far of a process, and of the whole machine with what is stolen."""
    ticks = os.sysconf("SC_CLK_TCK")
    try:
        process = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        machine = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    except OSError:
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, machine)
    total = user + nice + system + irq + softirq + steal
    return (int(process[11]) + int(process[12])) / ticks, total / ticks
