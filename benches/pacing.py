"""Runs rates and profiles for benches/pacing, and prints their errors."""

import collections
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Counter, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from integrals import integral
from kafka import FLEETSTORM, fail, kafka

DEFAULT = [
    "0.2", "10", "1000", "50000", "70%",
    "ramp:0..20000/60s", "steps:1000@20s,20000@20s,5000@20s", "sine:1000..20000/20s",
    "burst:1000+20000/20s/5s",
]
TOPICS = ["telemetry", "usage", "status", "jobs"]
# Reading back takes a while: the broker's clock is asked for runs of up to so many records.
MOST_READ = 4_000_000
READ_LIMIT = 180  # seconds

HEADER = """\
| rate or profile | records | error of the run | worst second | the same by the broker's clock \
| furthest from the integral, at whole seconds / at any instant \
| hand-over after due, p50 / p99 / max | of a core |
|---|---|---|---|---|---|---|---|"""


@dataclass
class Pacing:
    """Runs of the same length, by one transport, against one broker."""

    bootstrap: str
    registry: str
    transport: str
    seconds: int
    failures: list[str] = field(default_factory=list)

    def run(self, prefix: str, *options: str) -> tuple[dict, float]:
        """Runs the program; returns its results and its processor seconds."""
        arguments = [
            str(FLEETSTORM), "-q", "run", "-b", self.bootstrap, "-r", self.registry,
            "--topic-prefix", prefix, "--seed", "1", "--machines", "1000",
            "--topics", ",".join(TOPICS),
            "--topic-config", "message.timestamp.type=LogAppendTime",
            "--transport", self.transport, "--report", "-", *options]
        # What earlier runs left in the page cache is not written back in the midst of this one.
        os.sync()
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        told = child.stdout.read()  # type: ignore
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            fail(f"{' '.join(arguments)} ended with status {status}")
        return json.loads(told)["results"], usage.ru_utime + usage.ru_stime

    def maximum(self) -> float:
        """What is sustained: a broker takes more while its log fits the page cache's dirty part."""
        results, _ = self.run(f"max-{int(time.time())}-", "--rate", "max",
                              "--duration", f"{self.seconds}s")
        return sum(t["acked"] for t in results["records"].values()) / results["elapsed_s"]

    def percent_of_maximum(self, text: str) -> None:
        """Measures a part of the maximum, which it measures first."""
        most = self.maximum()
        name = str(round(most * float(text[:-1]) / 100))
        print(f"(the maximum is {most:,.0f} records/s)", file=sys.stderr)
        self.measure(name, warm=True)

    def measure(self, name: str, warm: bool = False) -> None:
        """Runs a rate or a profile, prints its line and checks it."""
        prefix = re.sub(r"[^a-z0-9]", "-", name.lower()) + f"-{int(time.time())}-"
        constant = name[0].isdigit()
        if warm:
            # A broker takes a few seconds of full load to get used to topics that it has just
            # created.
            self.run(prefix, "--rate", "max", "--duration", "5s")
        results, cpu = self.run(prefix, "--rate" if constant else "--rate-profile", name,
                                "--duration", f"{self.seconds}s")
        rate, core = results["rate"], cpu / results["elapsed_s"]
        due = integral(name)

        # Slot j is due when j + S/2 records are, for S = 3 slots, so by t there are due(t) - 3/2.
        expected, sent = due(self.seconds) - 1.5, slots(results)
        off = abs(sent - expected)
        error = off / expected if off > 1 else 0.0
        counts = [count for _, count in rate["seconds"]][:self.seconds - 1]
        second = window_error(counts, [due(t + 1) - due(t) for t in range(len(counts))])
        drift = furthest(counts, due)
        late = rate["late_ms"] or {"p50": 0, "p99": 0, "max": 0}
        broker = "-"
        if 0 < sent <= MOST_READ and constant:
            broker = percent(self.error_by_broker(prefix, sent, float(name)))

        print(f"| {name} | {sent:,} | {percent(error)} | {percent(second) if constant else '-'} | "
              f"{broker} | {percent(drift)} / {percent(rate['max_drift'])} | "
              f"{late['p50']:.3f} / {late['p99']:.3f} / {late['max']:.1f} ms | "
              f"{core * 100:.1f} % |", flush=True)
        if constant:
            self.check(f"{name}: error of the run", error, 0.001)
            self.check(f"{name}: error of a second", second, 0.01)
            if float(name) <= 50_000:
                self.check(f"{name}: p99 of the hand-over, in ms", late["p99"], 1.0)
        else:
            self.check(f"{name}: distance from the integral at whole seconds", drift, 0.002)
            self.check(f"{name}: distance from the integral at any instant", rate["max_drift"],
                       0.002)
        if name == "1000":
            self.check("1000: processor time", core, 0.03)

    def error_by_broker(self, prefix: str, records: int, rate: float) -> float:
        """The largest error of a second by the broker's clock."""
        appended = self.appended(prefix, records)
        # The first append is the first record's; its second is the only one that is cut.
        inner = range(1, max(appended))
        return window_error([appended[s] for s in inner], [rate] * len(inner))

    def appended(self, prefix: str, records: int) -> Counter[int]:
        """Records by the second of the broker's clock in which they were appended."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "pacing",
                             "enable.auto.commit": False, "fetch.queue.backoff.ms": 5})
        consumer.assign([TopicPartition(f"{prefix}{topic}", partition, OFFSET_BEGINNING)
                         for topic in TOPICS for partition in range(6)])
        stamps: list[int] = []
        deadline = time.monotonic() + READ_LIMIT
        while len(stamps) < records:
            if time.monotonic() > deadline:
                fail(f"{len(stamps)} of {records} records could be read back")
            stamps += [message.timestamp()[1] for message in consumer.consume(10_000, 1)]
        consumer.close()
        first = min(stamps)
        return collections.Counter((stamp - first) // 1000 for stamp in stamps)

    def check(self, what: str, figure: float, most: float) -> None:
        """Notes a figure that is beyond what is promised."""
        if figure > most:
            self.failures.append(f"{what}: {figure:.5f} is more than {most}")


def slots(results: dict) -> int:
    """The slots that were gone through, those of silent machines too."""
    return sum(topic["sent"] for topic in results["records"].values()) + results["rate"]["silent"]


def window_error(counts: Sequence[int], due: Sequence[float]) -> float:
    """The largest error of a second as a fraction of what was due; one record forgiven."""
    errors = [abs(count - want) for count, want in zip(counts, due)]
    return max((off / want for off, want in zip(errors, due) if off > 1 and want > 0), default=0)


def furthest(counts: Sequence[int], due) -> float:
    """The largest distance from the integral at a whole second, as a fraction of what was due."""
    cumulated, drift = 0, 0.0
    for t, count in enumerate(counts, 1):
        cumulated += count
        away = abs(cumulated - (due(t) - 1.5))
        if away > 2:
            drift = max(drift, away / due(t))
    return drift


def percent(fraction: float) -> str:
    """A fraction for people."""
    return f"{fraction * 100:.3f} %"


def main(arguments: list[str]) -> None:
    """Measures what is asked for; ends with 1 where a figure is beyond what is promised."""
    transport, seconds = "direct", 60
    if arguments[:1] == ["--transport"]:
        if arguments[1:2] not in (["direct"], ["librdkafka"]):
            fail("--transport is direct or librdkafka")
        transport, arguments = arguments[1], arguments[2:]
    if arguments and arguments[0].isdigit():
        seconds, arguments = int(arguments[0]), arguments[1:]
    with kafka("pacing") as there:
        pacing = Pacing(there["FLEETSTORM_TEST_BOOTSTRAP"], there["FLEETSTORM_TEST_REGISTRY"],
                        transport, seconds)
        print(HEADER, flush=True)
        for name in arguments or DEFAULT:
            if name.endswith("%"):
                pacing.percent_of_maximum(name)
            else:
                pacing.measure(name)
    for failure in pacing.failures:
        print(f"pacing: {failure}", file=sys.stderr)
    sys.exit(1 if pacing.failures else 0)


main(sys.argv[1:])
