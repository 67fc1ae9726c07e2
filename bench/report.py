"""Rows of the result table, the table, and what is known of the machine."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import django
import psycopg


@dataclass(frozen=True)
class Row:
    """
    One measured thing. `met` is None for what is only told. `target` is text for people; the measuring
    module decides itself whether it is met.
    """

    name: str
    ours: str
    floor: str = ""
    ratio: float | None = None
    target: str = ""
    met: bool | None = None

    def cells(self) -> list[str]:
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return [self.name, self.ours, self.floor, ratio, self.target, verdict]


HEADER = ["name", "ours", "floor", "ratio", "target", ""]


def table(rows: Sequence[Row]) -> str:
    lines = [HEADER, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    spelt = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    spelt.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(spelt)


def at_least(name: str, ours: Sequence[float], floor: Sequence[float], least: float | None) -> Row:
    """Rates of interleaved rounds: the ratio is the median of the rounds' own ratios."""
    ratio = statistics.median(a / b for a, b in zip(ours, floor, strict=True))
    return Row(
        name,
        f"{statistics.median(ours):.0f}/s",
        f"{statistics.median(floor):.0f}/s",
        ratio,
        "" if least is None else f">= {least:.2f}",
        None if least is None else ratio >= least,
    )


def at_most(name: str, value: float, most: float, unit: str = "", digits: int = 0) -> Row:
    target = f"<= {most:g}{unit}"
    return Row(name, f"{value:.{digits}f}{unit}", target=target, met=value <= most)


def cpu_row(ours: float, floor: float) -> Row:
    """Milliseconds of the web processes for one of what was measured: steadier than a rate."""
    return Row("  CPU of the web processes", f"{ours:.2f} ms", f"{floor:.2f} ms", floor / ours)


def machine(url: str) -> str:
    with psycopg.connect(url) as connection:
        version = connection.execute("SHOW server_version").fetchone()
        fsync = connection.execute("SHOW fsync").fetchone()
        commit = connection.execute("SHOW synchronous_commit").fetchone()
    assert version
    assert fsync
    assert commit
    return (
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; "
        f"Python {platform.python_version()}, Django {django.__version__}; PostgreSQL "
        f"{version[0].split()[0]}, fsync {fsync[0]}, synchronous_commit {commit[0]}"
    )
