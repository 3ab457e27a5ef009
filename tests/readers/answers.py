#!/usr/bin/env python3
"""A second model of the suite's queries: evaluates one by its definition over the lines of
`run --sink stdout`, and compares with the JSON lines of `expect`. It knows nothing of the first.

    answers.py QUERY ENGINE LINES ANSWERS

Windows and keys that differ are printed, and the exit code is 1 where any do."""

import json
import sys
from bisect import bisect_left
from collections import Counter, defaultdict

TOLERANCE = 1e-9
#: As in the suite's Flink tables.
WATERMARK_MS = 1000
SECOND, MINUTE = 1000, 60_000


def main(query, engine, lines, answers):
    records = defaultdict(list)
    with open(lines) as file:
        for line in file:
            record = json.loads(line)
            records[record["topic"]].append(record)
    flink = engine.startswith("flink")
    rows, keys = QUERIES[query](records, flink)
    for row in rows:
        row["certainty"] = certainty(row, records["telemetry"], engine)
    expected = by_key(rows, keys)
    with open(answers) as file:
        found = by_key([json.loads(line) for line in file], keys)
    wrong = 0
    for key in sorted(set(expected) | set(found), key=str):
        mine, theirs = expected.get(key), found.get(key)
        if mine is None or theirs is None or not alike(mine, theirs):
            wrong += 1
            if wrong <= 5:
                print(f"{query}: {key}: the second model has {mine}, expect has {theirs}")
    print(f"{query}, {engine}: {len(expected)} rows, {wrong} differ")
    return 1 if wrong or not expected else 0


def certainty(row, telemetry, engine):
    """Whether the watermark passes the window's end, by the slowest partition that has records."""
    if "window_end" not in row or not engine.startswith("flink"):
        return "exact"
    reached = {}
    for record in telemetry:
        partition = record["partition"]
        reached[partition] = max(reached.get(partition, 0), record["value"]["timestamp"])
    watermark = min(reached.values()) - WATERMARK_MS - (0 if engine == "flink-sql" else 1)
    return "exact" if watermark >= row["window_end"] - 1 else "pending"


def by_key(rows, keys):
    table = {}
    for row in rows:
        key = tuple(row[name] for name in keys)
        if key in table:
            sys.exit(f"the key {key} is there twice")
        table[key] = row
    return table


def alike(mine, theirs):
    if set(mine) != set(theirs):
        return False
    for name, value in mine.items():
        other = theirs[name]
        if isinstance(value, float):
            if abs(value - other) > TOLERANCE * abs(value):
                return False
        elif value != other:
            return False
    return True


def readings(records):
    return [record["value"] for record in records["telemetry"]]


def tumbling(values, size, by):
    """Values by (start, end, key)."""
    groups = defaultdict(list)
    for value in values:
        start = value["timestamp"] // size * size
        groups[start, start + size, by(value)].append(value)
    return groups


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def window_row(window, name, **columns):
    start, end, key = window
    return {"window_start": start, "window_end": end, name: key, **columns}


WINDOW = ["window_start", "window_end"]


def zone_load(records, _):
    groups = tumbling(readings(records), 10 * SECOND, lambda value: value["zone"])
    return [
        window_row(
            window, "zone", readings=len(values),
            cpu_avg=mean(value["cpu_percent"] for value in values),
            cpu_max=max(value["cpu_percent"] for value in values),
            p99_max=max(value["latency_p99"] for value in values))
        for window, values in groups.items()], WINDOW + ["zone"]


def hot_machines(records, _):
    size, slide = 60 * SECOND, 10 * SECOND
    values = readings(records)
    first = min(value["timestamp"] for value in values) // slide * slide - size
    last = max(value["timestamp"] for value in values)
    by_machine = defaultdict(list)
    for value in values:
        by_machine[value["machine_id"]].append((value["timestamp"], value["cpu_percent"]))
    rows = []
    # Every window there could be, and who is in it.
    for machine, own in by_machine.items():
        own.sort()
        for start in range(first, last + 1, slide):
            begin, end = bisect_left(own, (start,)), bisect_left(own, (start + size,))
            inside = [cpu for _, cpu in own[begin:end]]
            if inside and mean(inside) > 80:
                window = (start, start + size, machine)
                rows.append(window_row(window, "machine_id", readings=len(inside),
                                       cpu_avg=mean(inside)))
    return rows, WINDOW + ["machine_id"]


def anomaly_sessions(records, flink):
    gap = 30 * SECOND
    by_machine = defaultdict(list)
    for value in readings(records):
        if value["is_anomaly"]:
            by_machine[value["machine_id"]].append(value["timestamp"])
    rows = []
    for machine, instants in by_machine.items():
        instants.sort()
        sessions = [[instants[0]]]
        for instant in instants[1:]:
            if instant - sessions[-1][-1] > gap:
                sessions.append([])
            sessions[-1].append(instant)
        for session in sessions:
            end = session[-1] + (gap if flink else 0)
            rows.append(window_row((session[0], end, machine), "machine_id",
                                   readings=len(session)))
    return rows, WINDOW + ["machine_id"]


def failed_by_outage(records, _):
    failed = [job for job in records["jobs"] if job["value"]["status"] == "failed"]
    downs = [change for change in records["status"] if change["value"]["status"] == "down"]
    rows = []
    for job in failed:
        for down in downs:
            if (job["value"]["machine_id"] == down["value"]["machine_id"]
                    and abs(job["timestamp"] - down["timestamp"]) <= MINUTE):
                rows.append({
                    "job_id": job["value"]["job_id"], "down_at": down["timestamp"],
                    "machine_id": job["value"]["machine_id"],
                    "job_type": job["value"]["job_type"], "failed_at": job["timestamp"]})
    return rows, ["job_id", "down_at"]


def load_by_memory(records, _):
    def memory_class(value):
        # The last announcement up to the reading.
        announced = [record for record in machines[value["machine_id"]]
                     if record["timestamp"] <= value["timestamp"]]
        gigabytes = announced[-1]["value"]["memory_gb"]
        return "small" if gigabytes < 64 else "medium" if gigabytes < 256 else "large"

    machines = defaultdict(list)
    for record in records["machines"]:
        machines[record["key"]].append(record)
    groups = tumbling(readings(records), 10 * SECOND, memory_class)
    return [
        window_row(window, "memory_class", readings=len(values),
                   cpu_avg=mean(value["cpu_percent"] for value in values))
        for window, values in groups.items()], WINDOW + ["memory_class"]


def fleet_status(records, _):
    zones = {record["key"]: record["value"]["zone"] for record in records["machines"]}
    latest = {record["key"]: record["value"]["status"] for record in records["status"]}
    counts = Counter((status, zones[machine]) for machine, status in latest.items())
    rows = [{"status": status, "zone": zone, "machines": count}
            for (status, zone), count in counts.items()]
    return rows, ["status", "zone"]


def busiest(records, _):
    sums = defaultdict(lambda: defaultdict(int))
    groups = tumbling(readings(records), 10 * SECOND,
                      lambda value: (value["zone"], value["machine_id"]))
    for (start, end, (zone, machine)), values in groups.items():
        sums[start, end, zone][machine] = sum(value["request_count"] for value in values)
    rows = []
    for window, machines in sums.items():
        ranking = sorted(machines.items(), key=lambda pair: (-pair[1], pair[0]))
        for place, (machine, requests) in enumerate(ranking[:3], start=1):
            rows.append(window_row(window, "zone", rank=place, machine_id=machine,
                                   requests=requests))
    return rows, WINDOW + ["zone", "rank"]


def distinct_reporters(records, _):
    size, step = 10 * MINUTE, MINUTE
    by_window = defaultdict(set)
    for value in readings(records):
        start = value["timestamp"] // size * size
        for end in range(start + step, start + size + 1, step):
            if value["timestamp"] < end:
                by_window[start, end, value["zone"]].add(value["machine_id"])
    return [window_row(window, "zone", machines=len(machines))
            for window, machines in by_window.items()], WINDOW + ["zone"]


def deduplicated(records, _):
    once = {(value["machine_id"], value["timestamp"]): value for value in readings(records)}
    groups = tumbling(once.values(), 10 * SECOND, lambda value: value["zone"])
    return [window_row(window, "zone", readings=len(values))
            for window, values in groups.items()], WINDOW + ["zone"]


QUERIES = {
    "zone-load": zone_load,
    "hot-machines": hot_machines,
    "anomaly-sessions": anomaly_sessions,
    "failed-by-outage": failed_by_outage,
    "load-by-memory": load_by_memory,
    "fleet-status": fleet_status,
    "busiest": busiest,
    "distinct-reporters": distinct_reporters,
    "deduplicated": deduplicated,
}

if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[1] not in QUERIES:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
