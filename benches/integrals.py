"""The records that a profile has due, each by its own formula."""

import math
import re
from typing import Callable

Integral = Callable[[float], float]


def integral(profile: str) -> Integral:
    """The records due by t seconds, of a profile or a constant rate."""
    kind, _, rest = profile.partition(":")
    of_kind = {"ramp": ramp, "sine": sine, "steps": steps, "burst": burst}.get(kind)
    if of_kind:
        return of_kind(rest)
    rate = float(profile)
    return lambda t: rate * t


def parts(pattern: str, text: str) -> list[str]:
    """The groups of a pattern that the text must match."""
    found = re.fullmatch(pattern, text)
    if not found:
        raise ValueError(f"'{text}' is no profile that is known here")
    return list(found.groups())


def span(text: str) -> float:
    """Seconds, from 5ms, 5s or 5m."""
    value, unit = parts(r"(\d+(?:\.\d+)?)(ms|s|m)", text)
    return float(value) * {"ms": 0.001, "s": 1, "m": 60}[unit]


def ramp(text: str) -> Integral:
    """From one rate to another, which is kept then."""
    first, last, time = parts(r"(.+)\.\.(.+)/(.+)", text)
    a, b, over = float(first), float(last), span(time)

    def due(t: float) -> float:
        rising = min(t, over)
        return a * rising + (b - a) * rising ** 2 / (2 * over) + b * max(t - over, 0)
    return due


def sine(text: str) -> Integral:
    """Between two rates, in a wave that begins at its trough."""
    low, high, time = parts(r"(.+)\.\.(.+)/(.+)", text)
    a, b, period = float(low), float(high), span(time)
    return lambda t: ((a + b) / 2 * t
                      - (b - a) / 2 * period / math.tau * math.sin(math.tau * t / period))


def steps(text: str) -> Integral:
    """One rate after the other."""
    stairs = [(float(rate), span(length))
              for rate, length in (part.split("@") for part in text.split(","))]

    def due(t: float) -> float:
        total = 0.0
        for rate, length in stairs:
            total += rate * max(0, min(t, length))
            t -= length
        return total
    return due


def burst(text: str) -> Integral:
    """A rate, and a higher one at the end of each period."""
    low, more, each, time = parts(r"(.+)\+(.+)/(.+)/(.+)", text)
    base, peak, every, length = float(low), float(more), span(each), span(time)
    return lambda t: (base * t + peak * length * (t // every)
                      + peak * max(0, t % every - (every - length)))
