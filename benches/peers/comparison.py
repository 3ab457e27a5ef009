"""The runs of all programs under all settings, interleaved."""

import os
import platform
import time
from pathlib import Path

from kafka import end_in_order, need_fleetstorm

from . import librdkafka, pool
from .brokers import PARTITIONS, Broker, serving
from .options import Options, parse
from .pool import Sizes
from .programs import WORK
from .runs import RUNS, Run, run
from .tables import markdown, table

START_RUNS = 3  # of 1,000 records, for what starting costs


def main(arguments: list[str]) -> None:
    """Compares what is asked for."""
    options = parse(arguments)
    need_fleetstorm()
    WORK.mkdir(parents=True, exist_ok=True)
    end_in_order()
    librdkafka.build()
    with serving(options.broker) as broker:
        sizes = records_for_peers(options, broker)
        Comparison(options, broker, sizes).go_through()


def records_for_peers(options: Options, broker: Broker) -> Sizes:
    """Makes the records that the peers send, where the broker keeps them as they are."""
    if options.broker == "kafka":
        print(f"making {pool.COUNT} records for the peers", flush=True)
        pool.LOG.unlink(missing_ok=True)
        broker.new_topic()
        return pool.make(broker.bootstrap, broker.registry)
    # The sizes of real records are those that a run against Kafka left.
    if options.payload == "real" and pool.is_left():
        print(f"with the records that a run against Kafka left in {WORK}", flush=True)
        return pool.left()
    print("no run against Kafka left real records: rdkafka_performance sends a constant one",
          flush=True)
    options.payload = "constant"
    return pool.CONSTANT


class Comparison:
    """Programs that are compared, on one broker."""

    def __init__(self, options: Options, broker: Broker, sizes: Sizes) -> None:
        self.options = options
        self.broker = broker
        self.sizes = sizes
        self.runs: list[Run] = []

    def go_through(self) -> None:
        """Runs all programs under all settings, and prints their figures."""
        RUNS.unlink(missing_ok=True)
        settings = [(acks, compression) for acks in self.options.acks
                    for compression in self.options.compression]
        for acks, compression in settings:
            print(f"\nacks={acks}, compression {compression}: {self.options.records} records a run",
                  flush=True)
            self.interleave(acks, compression)
            table(self.runs, acks, compression)
        markdown(self.runs, settings, self.title())

    def programs(self, compression: str) -> list[str]:
        """The programs that are compared under a setting."""
        programs = ["rdkafka"]
        if self.options.broker == "kafka":
            programs.append("java")
        for transport in self.options.transport:
            numbers = self.options.producers
            programs += [f"fleetstorm {transport} {number} producers" for number in numbers] or \
                [f"fleetstorm {transport}"]
        if compression == "zstd" and not librdkafka.has_zstd():
            print("  rdkafka_performance has no zstd here:"
                  " neither cargo's libzstd.a nor the system's was found", flush=True)
            programs.remove("rdkafka")
        return programs

    def interleave(self, acks: str, compression: str) -> None:
        """All runs of a setting."""
        programs, count = self.programs(compression), self.options.records

        def one(program: str, kind: str, records: int) -> None:
            wanted = Run(program, kind, records, acks, compression, self.sizes.record)
            self.runs.append(run(wanted, self.options, self.broker, self.sizes))

        for program in programs:
            for _ in range(START_RUNS):
                one(program, "start", 1000)
        # One run of each that is not counted: the first meets a cold broker.
        for program in programs:
            one(program, "uncounted", count)
        for turn in range(self.options.runs):
            # Each program goes first in turn.
            first = turn % len(programs)
            for program in programs[first:] + programs[:first]:
                one(program, "counted", count)

    def title(self) -> str:
        """What was measured, where and when."""
        o = self.options
        text = (f"{self.broker.name}, on {machine()}, {time.strftime('%Y-%m-%d')}."
                f" Medians of {o.runs} interleaved runs of {o.records} records"
                f" of {self.sizes.record:g} bytes, key included, {PARTITIONS} partitions,"
                f" linger.ms 5, batch.size {o.batch_size}, 5 requests in flight,"
                " acks=all idempotent")
        if o.properties:
            text += ", " + " ".join(f"-X {pair}" for pair in o.properties)
        if o.java_properties:
            text += f", Java: {' '.join(o.java_properties)}"
        return f"{text}."


def machine() -> str:
    """The processor, its cores and the memory."""
    cpu = value_of(Path("/proc/cpuinfo"), "model name") or platform.machine()
    text = f"{cpu}, {os.cpu_count()} cores"
    memory = value_of(Path("/proc/meminfo"), "MemTotal")
    if memory:
        text += f", {int(memory.split()[0]) / 1048576:.0f} GB"
    return text


def value_of(path: Path, name: str) -> str:
    """What the first line of this name tells in a file of the system's, if it is there."""
    if path.exists():
        for line in path.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return ""
