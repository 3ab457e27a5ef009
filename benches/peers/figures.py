"""Medians of runs, and how programs compare by them."""

import os
import statistics
from dataclasses import dataclass
from typing import Callable, Optional

from .runs import Run

CORES = os.cpu_count() or 1


@dataclass
class Figures:
    """The medians of a program under one setting; those that the machine doesn't tell are None.

    What is net is so of the start, which runs of few records have shown.
    """

    rate: float  # acknowledged records a second by its own figure
    clock_rate: float  # by the clock, net
    ns: float  # processor time a record
    net_ns: float
    broker_ns: Optional[float]
    broker: Optional[float]  # percent of one core
    machine: Optional[float]  # client and broker, percent of all cores
    others: Optional[float]  # everything else, percent of all cores
    bytes: float
    kept: Optional[float]
    start_wall: float
    start_cpu: float


@dataclass
class Ratios:
    """fleetstorm / peer."""

    rate: float
    clock_rate: float
    ns: float
    net_ns: float


class Start:
    """What starting and ending a program takes."""

    def __init__(self, runs: list[Run]) -> None:
        self.wall = statistics.median(run.wall for run in runs)
        self.cpu = statistics.median(run.cpu for run in runs)
        self.broker_cpu = statistics.median(run.broker_cpu or 0 for run in runs)

    def net_wall(self, run: Run) -> float:
        """A run's time without it; what follows is like it."""
        return max(run.wall - self.wall, 0.001)

    def net_cpu(self, run: Run) -> float:
        """Its processor time."""
        return max(run.cpu - self.cpu, 0.001)

    def net_broker_cpu(self, run: Run) -> Optional[float]:
        """The broker's processor time."""
        if run.broker_cpu is None:
            return None
        return max(run.broker_cpu - self.broker_cpu, 0.001)

    def broker_ns(self, run: Run) -> Optional[float]:
        """The broker's processor time a record."""
        cpu = self.net_broker_cpu(run)
        return None if cpu is None else cpu * 1e9 / run.acked

    def broker(self, run: Run) -> Optional[float]:
        """The broker's part of a core."""
        cpu = self.net_broker_cpu(run)
        return None if cpu is None else 100 * cpu / self.net_wall(run)

    def machine(self, run: Run) -> Optional[float]:
        """The part of all cores that client and broker have."""
        cpu = self.net_broker_cpu(run)
        if cpu is None:
            return None
        return 100 * (cpu + self.net_cpu(run)) / (CORES * self.net_wall(run))


def others(run: Run) -> Optional[float]:
    """The part of all cores that other programs have."""
    return None if run.others is None else 100 * run.others / (CORES * run.wall)


def figures(runs: list[Run], acks: str, compression: str) -> dict[str, Figures]:
    """The figures of all programs that have runs under one setting, by name."""
    here = [run for run in runs if (run.acks, run.compression) == (acks, compression)]
    return {program: medians([run for run in here if run.program == program])
            for program in dict.fromkeys(run.program for run in here)}


def medians(runs: list[Run]) -> Figures:
    """The figures of a program, by its runs under one setting."""
    start = Start([run for run in runs if run.kind == "start"])
    counted = [run for run in runs if run.kind == "counted"]

    def known(figure: Callable[[Run], Optional[float]]) -> Optional[float]:
        values = [value for value in map(figure, counted) if value is not None]
        return statistics.median(values) if len(values) == len(counted) else None

    def median(figure: Callable[[Run], float]) -> float:
        return statistics.median(map(figure, counted))

    return Figures(
        rate=median(lambda run: run.acked / run.seconds),
        clock_rate=median(lambda run: run.acked / start.net_wall(run)),
        ns=median(lambda run: run.cpu * 1e9 / run.acked),
        net_ns=median(lambda run: start.net_cpu(run) * 1e9 / run.acked),
        broker_ns=known(start.broker_ns),
        broker=known(start.broker),
        machine=known(start.machine),
        others=known(others),
        bytes=median(lambda run: run.record_bytes),
        kept=known(lambda run: run.kept),
        start_wall=start.wall,
        start_cpu=start.cpu,
    )


def fastest(of: dict[str, Figures]) -> list[str]:
    """The fastest fleetstorm of each transport."""
    best: dict[str, str] = {}
    for program in of:
        if program.startswith("fleetstorm"):
            transport = program.split()[1]
            if transport not in best or of[program].rate > of[best[transport]].rate:
                best[transport] = program
    return list(best.values())


def ratios(of: dict[str, Figures], best: str, peer: str) -> Optional[Ratios]:
    """How a fleetstorm compares with a peer; None where that was not measured."""
    if peer not in of:
        return None
    a, b = of[best], of[peer]
    return Ratios(a.rate / b.rate, a.clock_rate / b.clock_rate, a.ns / b.ns, a.net_ns / b.net_ns)
