"""What is printed of the figures."""

from typing import Optional

from .figures import Figures, fastest, figures, ratios
from .runs import Run

PEERS = ("java", "rdkafka")

MARKDOWN_HEADER = """\
| acks, compression | fleetstorm | perf-test (Java) | rdkafka_performance | against Java \
| against rdkafka_performance | broker | machine |
|---|---|---|---|---|---|---|---|"""

MARKDOWN_NOTE = """
Each cell of a program: acknowledged records a second by its own figure, and its processor time a
record without its start. In parentheses: by the clock, without the start. Broker: its processor
time, of one core; machine: client and broker, of all cores; both in the order of the programs."""


def shown(value: Optional[float], form: str = ",.0f", unit: str = "") -> str:
    """A figure, or that there is none."""
    return "-" if value is None else f"{value:{form}}{unit}"


def table(runs: list[Run], acks: str, compression: str) -> None:
    """Prints all figures of one setting."""
    of = figures(runs, acks, compression)
    print(f"  {'medians':<24} {'records/s':>10} {'by the clock':>12} {'ns a record':>11} {'net':>6}"
          f" {'broker ns':>9} {'broker':>7} {'machine':>8} {'others':>7} {'bytes':>6}"
          f" {'in the log':>10}  start")
    for program, f in sorted(of.items()):
        print(f"  {program:<24} {shown(f.rate):>10} {shown(f.clock_rate):>12} {shown(f.ns):>11}"
              f" {shown(f.net_ns):>6} {shown(f.broker_ns):>9} {shown(f.broker, '.0f', ' %'):>7}"
              f" {shown(f.machine, '.0f', ' %'):>8} {shown(f.others, '.0f', ' %'):>7}"
              f" {f.bytes:>6.1f} {shown(f.kept, '.1f'):>10}"
              f"  {f.start_wall:.2f} s, {f.start_cpu:.2f} s of processor")
    for best, peer in ((best, peer) for best in fastest(of) for peer in PEERS):
        found = ratios(of, best, peer)
        if found:
            print(f"  {best} / {peer}: {found.rate:.2f} in records/s"
                  f" ({found.clock_rate:.2f} by the clock),"
                  f" {found.ns:.2f} in processor time a record ({found.net_ns:.2f} net)")


def markdown(runs: list[Run], settings: list[tuple[str, str]], title: str) -> None:
    """Prints the figures of all settings as one table."""
    print(f"\n{title}\n\n{MARKDOWN_HEADER}")
    for acks, compression in settings:
        of = figures(runs, acks, compression)
        for best in fastest(of):
            print("| " + " | ".join(cells(f"{acks}, {compression}", of, best)) + " |")
    print(MARKDOWN_NOTE)


def cells(setting: str, of: dict[str, Figures], best: str) -> list[str]:
    """The row of one fleetstorm."""
    programs = (best, *PEERS)
    row = [setting]
    for program in programs:
        f = of.get(program)
        cell = f"{f.rate / 1e6:.2f} M/s, {f.net_ns:,.0f} ns" if f else "not measured"
        row.append(f"{cell} ({best.split(' ', 1)[1]})" if program == best else cell)
    for peer in PEERS:
        found = ratios(of, best, peer)
        row.append(f"{found.rate:.2f} ({found.clock_rate:.2f}) times the records/s,"
                   f" {found.net_ns:.2f} of the time" if found else "-")
    there = [of[program] for program in programs if program in of]
    row.append(", ".join(shown(f.broker, ".0f", " %") for f in there))
    row.append(", ".join(shown(f.machine, ".0f", " %") for f in there))
    return row
