"""
How soon waiting browsers are told, and what it costs that they wait: raw sockets on `/events/`, two web processes.

"Told" is from publishing to the bytes of the event in the client, which runs on the same machine. The row has
been changed before.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
import redis

from bench.options import Options
from bench.report import Row
from bench.server import Server, _children, serve
from bench.stage import Stage
from tests.valkey import Valkey
from tests.waiting import Waiting, secret_of, token

CROWDS = (1, 200, 1000)
ALONE = 50  # times that one waits by himself
PAUSE = 0.01  # between two words
IDLE_SECONDS = 15  # every row is read once in them


def run(where: Stage, options: Options) -> list[Row]:
    with psycopg.connect(where.url, autocommit=True) as database:
        database.execute("CREATE TABLE IF NOT EXISTS bench_waiting (id int PRIMARY KEY, done bool)")
        with tempfile.TemporaryDirectory(prefix="live-", dir="/tmp") as folder:
            valkey = Valkey(Path(folder))
            try:
                environment = where.product | {"REDIS_URL": valkey.url}
                with serve("bench.waiting:application", environment, "/health/ready/") as server:
                    scene = Scene(server, valkey, database, secret_of(where.folder))
                    return scene.play()
            finally:
                valkey.kill()


class Scene:
    def __init__(
        self, server: Server, valkey: Valkey, database: psycopg.Connection, secret: str
    ) -> None:
        self.server, self.valkey, self.database, self.secret = server, valkey, database, secret
        self.next = 1

    def play(self) -> list[Row]:
        costs = self._costs(CROWDS[-1])  # first: memory that a process has had, it keeps
        alone = [self.told(1)[0] for _ in range(ALONE)]
        told = [Row(f"told, {size:,} wait", _times(self.told(size))) for size in CROWDS[1:]]
        without = self._without_broker(CROWDS[-1])
        return [Row("told, 1 waits", _times(alone)), *told, *costs, *without]

    def wait(self, size: int) -> tuple[Waiting, dict[int, str]]:
        numbers = range(self.next, self.next + size)
        self.next += size
        tokens = {number: token(f"bench:{number}", self.secret) for number in numbers}
        crowd = Waiting(self.server.port, tokens.values())
        assert crowd.read(lambda: crowd.open == size, seconds=60), f"{crowd.open} of {size} opened"
        crowd.read(lambda: False, seconds=1.5 if size > 1 else 0.1)
        return crowd, tokens

    def change(self, numbers: Sequence[int]) -> None:
        with self.database.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO bench_waiting VALUES (%s, true)", [(n,) for n in numbers]
            )

    def told(self, size: int) -> list[float]:
        """Seconds from each word to its browser."""
        crowd, tokens = self.wait(size)
        said: dict[str, float] = {}
        with crowd, redis.Redis.from_url(self.valkey.url) as broker:
            for number, one in tokens.items():
                self.change([number])
                said[one] = time.perf_counter()
                broker.publish(f"live:bench:{number}", "")
                pause = time.monotonic() + PAUSE
                crowd.read(lambda pause=pause: time.monotonic() > pause, seconds=1)
            crowd.read(lambda: len(crowd.told_at) == size, seconds=30)
            assert len(crowd.told_at) == size, f"{size - len(crowd.told_at)} were not told"
            return [crowd.told_at[one] - said[one] for one in said]

    def _costs(self, size: int) -> list[Row]:
        self.told(1)  # so that every thread and connection is there
        memory = self._memory()
        crowd, _ = self.wait(size)
        with crowd:
            each = (self._memory() - memory) / size
            before = self.server.cpu_seconds()
            crowd.read(lambda: False, seconds=IDLE_SECONDS)
            idle = (self.server.cpu_seconds() - before) / IDLE_SECONDS
            threads = [len(os.listdir(f"/proc/{pid}/task")) for pid in _children(self.server.pid)]
        return [
            Row(f"memory of each of {size:,}", f"{each:.0f} KB"),
            Row(f"CPU while {size:,} wait and nothing happens", f"{idle * 100:.1f} % of a core"),
            Row(
                f"threads of the web processes while {size:,} wait",
                ", ".join(map(str, sorted(threads)[-2:])),
            ),
        ]

    def _without_broker(self, size: int) -> list[Row]:
        crowd, tokens = self.wait(size)
        with crowd:
            self.valkey.kill()
            self.change(list(tokens))
            said = time.perf_counter()
            assert crowd.read(lambda: len(crowd.told_at) == size, seconds=60), "some were not told"
            killed = [at - said for at in crowd.told_at.values()]
        crowd, tokens = self.wait(size)
        with crowd:
            before = self.server.cpu_seconds()
            crowd.read(lambda: False, seconds=IDLE_SECONDS)
            asking = (self.server.cpu_seconds() - before) / IDLE_SECONDS
            self.change(list(tokens))
            said = time.perf_counter()
            assert crowd.read(lambda: len(crowd.told_at) == size, seconds=60), "some were not told"
            away = [at - said for at in crowd.told_at.values()]
        self.valkey.start()
        time.sleep(2)
        return [
            Row(f"told, {size:,} wait, broker killed just before", _times(killed)),
            Row(f"told, {size:,} wait, broker away for long", _times(away)),
            Row("  CPU while they ask", f"{asking * 100:.1f} % of a core"),
            Row(f"told, {size:,} wait, broker back", _times(self.told(size))),
        ]

    def _memory(self) -> float:
        """KB of the web processes, what they share counted once."""
        total = 0
        for pid in _children(self.server.pid):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total


def _times(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p95 = ordered[int(len(ordered) * 0.95)]
    parts = (statistics.median(ordered), p95, ordered[-1])
    return (
        " / ".join(f"{part * 1000:.1f}" for part in parts)
        + f" ms, {len(ordered)} of {len(ordered)}"
    )
