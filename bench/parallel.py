"""The same work in several processes for a while."""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection


def at_once(work: Callable[[Any], int], orders: Sequence[Any], seconds: float) -> float:
    """
    Times a second that `work` was done, by one process for each of `orders`, all starting together. Work is
    repeated until the time is over and returns how often it counts.
    """
    connection.close()  # a forked process must not use its parent's
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(len(orders) + 1)
    results: Any = context.Queue()

    def run(order: Any) -> None:
        barrier.wait()
        start = time.monotonic()
        done = 0
        while time.monotonic() - start < seconds:
            done += work(order)
        results.put((done, time.monotonic() - start))

    processes = [context.Process(target=run, args=(order,), daemon=True) for order in orders]
    for process in processes:
        process.start()
    barrier.wait()
    told = [results.get(timeout=seconds + 60) for _ in processes]
    for process in processes:
        process.join()
    return sum(done / taken for done, taken in told)
