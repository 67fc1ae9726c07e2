"""`python -m bench [NAME …]`: run benchmarks and print what they found, ours beside the floor."""

import argparse
import importlib
import sys
import time

from .options import Options
from .report import Row, machine, table
from .stage import stage

USUAL = ("devices", "wizard", "verify", "pages", "start", "audit", "login", "refused")
ON_REQUEST = (
    "scale",
    "queue",
    "live",
    "push",
    "messages",
    "peers",
)  # long, or in need of a package registry


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(USUAL + ON_REQUEST)}"
    )
    parser.add_argument("--seconds", type=float, default=3, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of ours and floor in turn")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    wanted = parser.parse_args()
    if unknown := set(wanted.names) - {*USUAL, *ON_REQUEST}:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    with stage() as where:
        print(machine(where.url), flush=True)
        for name in wanted.names or USUAL:
            start = time.monotonic()
            measure = importlib.import_module(f"bench.measures.{name}")
            found = measure.run(where, Options(wanted.seconds, wanted.rounds))
            print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
            print(table(found), flush=True)
            rows += found
    missed = [row for row in rows if row.met is False]
    print(f"{len(missed)} targets missed" if missed else "every target met")
    return 1 if wanted.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
