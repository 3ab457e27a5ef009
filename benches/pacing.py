"""Runs rates and profiles for benches/pacing, which starts the cluster, and prints their errors."""

import collections
import json
import math
import os
import re
import statistics
import subprocess
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

program, bootstrap, registry, *arguments = sys.argv[1:]
transport = "direct"
if arguments and arguments[0] == "--transport":
    transport, arguments = arguments[1], arguments[2:]
seconds = 60
if arguments and arguments[0].isdigit():
    seconds = int(arguments.pop(0))
wanted = arguments or [
    "0.2", "10", "1000", "50000", "70%",
    "ramp:0..20000/60s", "steps:1000@20s,20000@20s,5000@20s", "sine:1000..20000/20s",
    "burst:1000+20000/20s/5s",
]
TOPICS = ["telemetry", "usage", "status", "jobs"]
# Reading back takes a while: the broker's clock is asked for runs of up to so many records.
MOST_READ = 4_000_000
failures = []


def run(prefix, *options):
    """Runs the program; returns its results and its processor seconds."""
    arguments = [program, "-q", "run", "-b", bootstrap, "-r", registry, "--topic-prefix", prefix,
                 "--seed", "1", "--machines", "1000", "--topics", ",".join(TOPICS),
                 "--topic-config", "message.timestamp.type=LogAppendTime",
                 "--transport", transport, "--report", "-", *options]
    # What earlier runs left in the page cache is not written back in the midst of this one.
    os.sync()
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE)
    report = json.load(child.stdout)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"pacing: {' '.join(arguments)} ended with status {status}")
    return report["results"], usage.ru_utime + usage.ru_stime


def appended(prefix, records):
    """Records by the second of the broker's clock in which they were appended."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "pacing",
                         "enable.auto.commit": False, "fetch.queue.backoff.ms": 5})
    consumer.assign([TopicPartition(f"{prefix}{topic}", partition, OFFSET_BEGINNING)
                     for topic in TOPICS for partition in range(6)])
    stamps, deadline = [], time.monotonic() + 180
    while len(stamps) < records:
        if time.monotonic() > deadline:
            sys.exit(f"pacing: {len(stamps)} of {records} records could be read back")
        stamps += [message.timestamp()[1] for message in consumer.consume(10_000, 1)]
    consumer.close()
    first = min(stamps)
    return collections.Counter((stamp - first) // 1000 for stamp in stamps), first


def span(text):
    value, unit = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m)", text).groups()
    return float(value) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def integral(profile):
    """The records due by t seconds, by the profile's own formula."""
    kind, _, rest = profile.partition(":")
    if kind == "ramp":
        a, b, over = re.fullmatch(r"(.+)\.\.(.+)/(.+)", rest).groups()
        a, b, over = float(a), float(b), span(over)
        return lambda t: (a * min(t, over) + (b - a) * min(t, over) ** 2 / (2 * over)
                          + b * max(t - over, 0))
    if kind == "sine":
        a, b, period = re.fullmatch(r"(.+)\.\.(.+)/(.+)", rest).groups()
        a, b, period = float(a), float(b), span(period)
        return lambda t: ((a + b) / 2 * t
                          - (b - a) / 2 * period / math.tau * math.sin(math.tau * t / period))
    if kind == "steps":
        parts = [(float(rate), span(length))
                 for rate, length in (part.split("@") for part in rest.split(","))]

        def steps(t):
            due = 0
            for rate, length in parts:
                due += rate * max(0, min(t, length))
                t -= length
            return due
        return steps
    if kind == "burst":
        base, peak, every, length = re.fullmatch(r"(.+)\+(.+)/(.+)/(.+)", rest).groups()
        base, peak, every, length = float(base), float(peak), span(every), span(length)
        return lambda t: (base * t + peak * length * (t // every)
                          + peak * max(0, t % every - (every - length)))
    return lambda t: float(profile) * t


def check(what, figure, most):
    if figure > most:
        failures.append(f"{what}: {figure:.5f} is more than {most}")


def percent(fraction):
    return f"{fraction * 100:.3f} %"


def slots(results):
    return sum(topic["sent"] for topic in results["records"].values()) + results["rate"]["silent"]


def window_error(counts, due):
    """The largest error of a second as a fraction of what was due; one record forgiven."""
    errors = [abs(count - want) for count, want in zip(counts, due)]
    return max((off / want for off, want in zip(errors, due) if off > 1 and want > 0), default=0)


def measure(name, warm=False):
    prefix = re.sub(r"[^a-z0-9]", "-", name.lower()) + f"-{int(time.time())}-"
    options = ["--rate", name] if name[0].isdigit() else ["--rate-profile", name]
    if warm:
        # A broker takes a few seconds of full load to get used to topics that it has just created.
        run(prefix, "--rate", "max", "--duration", "5s")
    results, cpu = run(prefix, *options, "--duration", f"{seconds}s")
    rate = results["rate"]
    due = integral(name)
    constant = name[0].isdigit()

    # Slot j is due when j + S/2 records are, for S = 3 slots, so by t there are due(t) - 3/2.
    expected, sent = due(seconds) - 1.5, slots(results)
    off = abs(sent - expected)
    error = off / expected if off > 1 else 0.0
    counts = [sent for _, sent in rate["seconds"]][:seconds - 1]
    wants = [due(t + 1) - due(t) for t in range(len(counts))]
    second = window_error(counts, wants)
    cumulated, drift = 0, 0.0
    for t, count in enumerate(counts, 1):
        cumulated += count
        away = abs(cumulated - (due(t) - 1.5))
        if away > 2:
            drift = max(drift, away / due(t))
    late = (rate["late_ms"] or {"p50": 0, "p99": 0, "max": 0})

    broker = "-"
    if 0 < sent <= MOST_READ and constant:
        appended_in, _ = appended(prefix, sent)
        inner = range(1, max(appended_in))
        # The first append is the first record's; its second is the only one that is cut.
        by_broker = window_error([appended_in[s] for s in inner], [float(name)] * len(inner))
        broker = percent(by_broker)

    print(f"| {name} | {sent:,} | {percent(error)} | {percent(second) if constant else '-'} | "
          f"{broker} | {percent(drift)} / {percent(rate['max_drift'])} | "
          f"{late['p50']:.3f} / {late['p99']:.3f} / {late['max']:.1f} ms | "
          f"{cpu / results['elapsed_s'] * 100:.1f} % |", flush=True)
    if constant:
        check(f"{name}: error of the run", error, 0.001)
        check(f"{name}: error of a second", second, 0.01)
        if float(name) <= 50_000:
            check(f"{name}: p99 of the hand-over, in ms", late["p99"], 1.0)
    else:
        check(f"{name}: distance from the integral at whole seconds", drift, 0.002)
        check(f"{name}: distance from the integral at any instant", rate["max_drift"], 0.002)
    if name == "1000":
        check("1000: processor time", cpu / results["elapsed_s"], 0.03)


def maximum():
    """What is sustained: a broker takes more while its log fits the page cache's dirty part."""
    results, _ = run(f"max-{int(time.time())}-", "--rate", "max", "--duration", f"{seconds}s")
    return sum(topic["acked"] for topic in results["records"].values()) / results["elapsed_s"]


print("| rate or profile | records | error of the run | worst second | the same by the broker's "
      "clock | furthest from the integral, at whole seconds / at any instant | hand-over after due, p50 / p99 / max | of a core |")
print("|---|---|---|---|---|---|---|---|")
for name in wanted:
    if name.endswith("%"):
        most = maximum()
        name = str(round(most * float(name[:-1]) / 100))
        print(f"(the maximum is {most:,.0f} records/s)", file=sys.stderr)
        measure(name, warm=True)
    else:
        measure(name)
for failure in failures:
    print(f"pacing: {failure}", file=sys.stderr)
sys.exit(1 if failures else 0)
