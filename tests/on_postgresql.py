"""
The same tests on PostgreSQL: `python -m tests.on_postgresql [pytest's options]`.

Left out are those that start a portal of their own (they choose their databases themselves), those in a
browser, those of the house, and those that ask no database. Without any PostgreSQL this says so and passes; in CI
it fails.
"""

import os
import subprocess
import sys

from tests import postgresql


def main(options: list[str]) -> int:
    try:
        with postgresql.database() as url:
            print(f"PostgreSQL: {url}", flush=True)  # noqa: T201
            which = ["-m", "not live and not browser", "--ignore=tests/house"]
            which += ["-p", "tests.asking_a_database"]
            return subprocess.run(
                [sys.executable, "-m", "pytest", "-q", *which, *options],
                env=os.environ | {"DATABASE_URL": url, "DEMO_MODE": "1", "TEST_DATABASE_URL": url},
                check=False,
            ).returncode
    except postgresql.NoPostgresql as missing:
        print(f"SKIPPED, the tests did not run on PostgreSQL: {missing}", flush=True)  # noqa: T201
        return 1 if postgresql.in_ci() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
