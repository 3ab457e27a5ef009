"""Real records, which the peers send in turn."""

import subprocess
import sys
from dataclasses import dataclass

from kafka import FLEETSTORM

from .programs import PREFIX, TOPIC, WORK, Command, ended, fail_by_log, java_tool, limited, running

COUNT = 120_000
RECORDS = WORK / "records"  # for rdkafka_performance
LINES = WORK / "lines"      # for perf-test
SIZES = WORK / "pool.sizes"
LOG = WORK / "pool.log"
LIMIT = 120  # seconds

KEY_MARK, RECORD_MARK = "<|key|>", "<|record|>"


@dataclass
class Sizes:
    """Mean bytes of a record, its key included, and of its value."""

    record: float
    value: int


#: What rdkafka_performance sends by itself is given the usual size.
CONSTANT = Sizes(122, 108)


def make(bootstrap: str, registry: str) -> Sizes:
    """Sends real records into an empty topic, and reads them back for the peers."""
    limited(LIMIT, LOG, Command([
        str(FLEETSTORM), "run", "-b", bootstrap, "-r", registry, "--topics", "telemetry",
        "--topic-prefix", PREFIX, "--rate", "max", "--records", str(COUNT), "--machines", "1000",
        "--seed", "1"]))
    SIZES.unlink(missing_ok=True)
    records = read_back(bootstrap)
    write(records)
    keys, values = (sum(len(record[i]) for record in records) / len(records) for i in (0, 1))
    part = SIZES.with_suffix(".part")
    part.write_text(f"{keys + values:.1f} {round(values)}\n")
    part.replace(SIZES)  # whole or not there
    return left()


def left() -> Sizes:
    """The sizes of the records that a run left here."""
    record, value = SIZES.read_text().split()
    return Sizes(float(record), int(value))


def is_left() -> bool:
    """Whether a run left records here."""
    return SIZES.exists()


def read_back(bootstrap: str) -> list[tuple[bytes, bytes]]:
    """Keys and values, in the order in which they were sent."""
    arguments = ["--bootstrap-server", bootstrap, "--topic", TOPIC, "--from-beginning",
                 "--max-messages", str(COUNT), "--timeout-ms", "30000"]
    for setting in ("print.timestamp=true", "print.key=true", f"key.separator={KEY_MARK}",
                    f"line.separator={RECORD_MARK}"):
        arguments += ["--formatter-property", setting]
    consumer = java_tool("consumer.ConsoleConsumer", *arguments, quick=True)
    with open(LOG, "ab") as notes:
        with running(consumer, LIMIT, stdout=subprocess.PIPE, stderr=notes) as child:
            told = child.stdout.read().split(RECORD_MARK.encode())[:-1]  # type: ignore
            ended(child, LOG)
    if len(told) != COUNT:
        fail_by_log(LOG, f"{len(told)} of {COUNT} records were read back")
    # A time is CreateTime:N, all of one length: sorted, they are in the order of sending.
    parts = sorted((line.split(KEY_MARK.encode(), 2) for line in told), key=lambda part: part[0])
    return [(key, value) for _, key, value in parts]


def write(records: list[tuple[bytes, bytes]]) -> None:
    """Writes them as each of the peers reads them."""
    # One byte each in UTF-8, and none that ends a line.
    single = bytes(byte & 127 if byte & 127 != 10 else 11 for byte in range(256))
    with open(RECORDS, "wb") as binary, open(LINES, "wb") as lines:
        for key, value in records:
            binary.write(len(key).to_bytes(4, sys.byteorder))
            binary.write(len(value).to_bytes(4, sys.byteorder))
            binary.write(key + value)
            lines.write((key + value).translate(single) + b"\n")
