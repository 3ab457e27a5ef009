"""One run of one program: its command, and what it took."""

import json
import re
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from kafka import FLEETSTORM

from . import librdkafka, pool
from .brokers import Broker, busy
from .options import Options
from .pool import Sizes
from .programs import PREFIX, TOPIC, WORK, Command, ended, fail_by_log, java_tool, running

RUNS = WORK / "runs"  # a line of JSON each
REPORT = WORK / "report.json"


@dataclass
class Run:
    """A run and its figures; those that the machine doesn't tell are None."""

    program: str  # java, rdkafka, `fleetstorm TRANSPORT` or `fleetstorm TRANSPORT N producers`
    kind: str  # start, uncounted or counted
    records: int
    acks: str
    compression: str
    record_bytes: float
    acked: int = 0
    seconds: float = 0.0  # by the program's own figure
    wall: float = 0.0
    cpu: float = 0.0
    broker_cpu: Optional[float] = None
    others: Optional[float] = None  # processor seconds of the machine's other programs
    kept: Optional[float] = None  # bytes a record in the broker's log

    def log(self) -> Path:
        """Where the program's output goes."""
        return WORK / f"{self.program.split()[0]}.log"


def run(one: Run, options: Options, broker: Broker, sizes: Sizes) -> Run:
    """Runs a program on a topic of its own, keeps its figures and prints them."""
    command = COMMANDS[one.program.split()[0]](one, options, broker, sizes)
    broker.new_topic()
    measure(one, command, broker, options.run_limit())
    with open(RUNS, "a", encoding="utf-8") as runs:
        runs.write(json.dumps(asdict(one)) + "\n")
    print(f"  {one.program:<24} {one.acked:>9} acknowledged in {one.seconds:6.2f} s"
          f" {one.acked / one.seconds:>10.0f} records/s"
          f" {one.cpu * 1e9 / one.acked:6.0f} ns of processor time a record"
          f"{'' if one.kind == 'counted' else ' (' + one.kind + ')'}", flush=True)
    return one


def measure(one: Run, command: Command, broker: Broker, limit: int) -> None:
    """Runs a command, and fills in its figures."""
    REPORT.unlink(missing_ok=True)
    before, began = busy(broker.pid), time.monotonic()
    with open(one.log(), "wb") as out:
        with running(command, limit, stdout=out, stderr=subprocess.STDOUT) as child:
            usage = ended(child, one.log())
    one.wall = time.monotonic() - began
    after = busy(broker.pid)
    one.cpu = usage.ru_utime + usage.ru_stime
    if before and after:
        one.broker_cpu = after[0] - before[0]
        one.others = max(after[1] - before[1] - one.broker_cpu - one.cpu, 0)
    one.acked, one.seconds = OWN_FIGURES[one.program.split()[0]](one)
    if one.acked < one.records:
        fail_by_log(one.log(), f"{one.acked} of {one.records} records were acknowledged")
    kept = broker.kept()
    one.kept = kept / one.acked if kept else None


# --- commands ------------------------------------------------------------------------------------

def idempotent(one: Run) -> str:
    """Whether the producer is, as its property is written."""
    return "true" if one.acks == "all" else "false"


def librdkafka_properties(one: Run, options: Options) -> list[str]:
    """What fleetstorm and rdkafka_performance are both given."""
    properties = ["linger.ms=5", f"batch.size={options.batch_size}", "max.in.flight=5",
                  "queue.buffering.max.kbytes=65536", f"compression.codec={one.compression}",
                  *options.properties]
    return [word for pair in properties for word in ("-X", pair)]


def java_command(one: Run, options: Options, broker: Broker, _: Sizes) -> Command:
    """kafka-producer-perf-test."""
    # Its memory is as large as librdkafka's queue may become.
    return java_tool(
        "ProducerPerformance", "--bootstrap-server", broker.bootstrap, "--topic", TOPIC,
        "--num-records", str(one.records), "--throughput", "-1", "--payload-file", str(pool.LINES),
        "--command-property", f"acks={one.acks}", f"enable.idempotence={idempotent(one)}",
        "linger.ms=5", f"batch.size={options.batch_size}", f"compression.type={one.compression}",
        "buffer.memory=67108864", "max.in.flight.requests.per.connection=5",
        *options.java_properties)


def rdkafka_command(one: Run, options: Options, broker: Broker, sizes: Sizes) -> Command:
    """rdkafka_performance."""
    words = [str(librdkafka.PROGRAM), "-P", "-b", broker.bootstrap, "-t", TOPIC,
             "-c", str(one.records), "-s", str(sizes.value), "-k", "machine-000042", "-i", "1000",
             "-q", "-X", f"acks={one.acks}", "-X", f"enable.idempotence={idempotent(one)}",
             "-X", "partitioner=murmur2_random", *librdkafka_properties(one, options)]
    if options.payload == "real":
        return Command(words, {"VS_PEERS_RECORDS": str(pool.RECORDS)})
    # Its one key would otherwise go to one partition.
    return Command([*words, "-X", "partitioner=random"])


def fleetstorm_command(one: Run, options: Options, broker: Broker, _: Sizes) -> Command:
    """fleetstorm run."""
    transport, *producers = one.program.split()[1:]
    words = [str(FLEETSTORM), "run", "-b", broker.bootstrap, "-r", broker.registry,
             "--topics", "telemetry", "--topic-prefix", PREFIX, "--rate", "max",
             "--records", str(one.records), "--machines", "1000", "--acks", one.acks,
             "--report", str(REPORT), *librdkafka_properties(one, options),
             "--transport", transport]
    if producers:
        words += ["--producers", producers[0]]
    return Command(words)


COMMANDS = {"java": java_command, "rdkafka": rdkafka_command, "fleetstorm": fleetstorm_command}


# --- what the programs say of themselves ---------------------------------------------------------

def java_figures(one: Run) -> tuple[int, float]:
    """Records and seconds, by the line of figures that has percentiles: it is the total."""
    told = one.log().read_text(errors="replace")
    found = re.findall(r"(\d+) records sent, ([\d.,]+) records/sec .*50th", told)
    if not found:
        fail_by_log(one.log(), "it printed no total")
    sent, rate = found[-1]
    return int(sent), int(sent) / float(rate.replace(",", "."))


def rdkafka_figures(one: Run) -> tuple[int, float]:
    """Records and seconds, by the last line of figures: it is the total, to the last delivery."""
    told = one.log().read_text(errors="replace")
    found = re.findall(r"(\d+) delivered .*? in (\d+)ms", told)
    if not found:
        fail_by_log(one.log(), "it printed no total")
    return int(found[-1][0]), max(int(found[-1][1]), 1) / 1000


def fleetstorm_figures(_: Run) -> tuple[int, float]:
    """Records and seconds, by the report."""
    results = json.loads(REPORT.read_text())["results"]
    return results["records"]["telemetry"]["acked"], results["elapsed_s"]


OWN_FIGURES = {"java": java_figures, "rdkafka": rdkafka_figures, "fleetstorm": fleetstorm_figures}
