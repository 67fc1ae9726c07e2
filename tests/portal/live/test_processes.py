"""
Streams of a real portal: four web processes, a real Valkey, and browsers that wait in all of them. How long
things took is printed (`pytest -rP`), and asserted only where minutes would be wrong.
"""

import os
import shutil
import signal
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.security.conftest import start
from tests.serving import Portal, send_raw
from tests.waiting import Waiting, secret_of, token

pytestmark = pytest.mark.live

WATCHING = str(Path(__file__).parent / "watching")
CROWD = 200


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def portal_of_the_module(request: pytest.FixtureRequest) -> Iterator[Portal]:
    portal = start(request.param, PYTHONPATH=WATCHING)
    portal.sql("CREATE TABLE try_row (id integer PRIMARY KEY, done integer NOT NULL)")
    yield portal
    portal.stop()


@pytest.fixture
def portal(portal_of_the_module: Portal) -> Portal:
    portal_of_the_module.reset(sessions=True)
    portal_of_the_module.sql("DELETE FROM try_row")
    return portal_of_the_module


@pytest.fixture
def own_portal() -> Iterator[Portal]:
    """To hurt."""
    portal = start("sqlite", PYTHONPATH=WATCHING)
    portal.sql("CREATE TABLE try_row (id integer PRIMARY KEY, done integer NOT NULL)")
    yield portal
    portal.stop()


def waiting(portal: Portal, numbers: range) -> Waiting:
    secret = secret_of(portal.var)
    crowd = Waiting(portal.port, [token(f"try:{number}", secret) for number in numbers])
    assert crowd.read(lambda: crowd.open == len(numbers), seconds=30), portal.logs()
    crowd.read(lambda: False, seconds=1)  # every row has been read, and the broker has come
    return crowd


def publish(portal: Portal, number: int) -> None:
    with redis.Redis(unix_socket_path=str(portal.var / "valkey.sock")) as broker:
        broker.publish(f"live:try:{number}", "")


def change(portal: Portal, numbers: range) -> None:
    with portal.connection() as connection:
        connection.execute("BEGIN")
        for number in numbers:
            connection.execute(f"INSERT INTO try_row VALUES ({number}, 1)")
        connection.execute("COMMIT")


def say(*words: str) -> None:
    print(*words)  # noqa: T201 (`pytest -rP` shows it)


def tell_apart(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p95 = ordered[int(len(ordered) * 0.95)]
    return (
        f"{len(ordered)} told: p50 {statistics.median(ordered) * 1000:.1f} ms, "
        f"p95 {p95 * 1000:.1f} ms, max {ordered[-1] * 1000:.1f} ms"
    )


def threads_and_files(portal: Portal) -> dict[int, tuple[int, int]]:
    return {
        pid: (len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd")))
        for pid in portal.web_processes()
    }


def test_a_login_in_one_process_wakes_the_browsers_that_wait_in_others(portal: Portal):
    number = portal.id_of("owner")
    with waiting(portal, range(number, number + 1)) as crowd:
        change(portal, range(number, number + 1))
        assert not crowd.read(lambda: bool(crowd.told_at), seconds=1)  # nobody has said a word
        before = time.perf_counter()
        portal.log_in("owner")  # several requests; the last tells
        after = time.perf_counter()
        assert crowd.read(lambda: bool(crowd.told_at), seconds=5)
        (told_at,) = crowd.told_at.values()
        say(f"a login of {after - before:.2f} s; told {1000 * (told_at - after):.1f} ms after it")
        assert crowd.read(
            lambda: bool(crowd.ended) or b"0\r\n\r\n" in next(iter(crowd.got.values())), seconds=5
        )


def test_two_hundred_wait_in_all_processes_and_each_hears_its_own_word_only(portal: Portal):
    numbers = range(1000, 1000 + CROWD)
    with waiting(portal, numbers) as crowd:
        spread = portal.processes_of(list(crowd.got))
        assert len(spread) > 1
        change(portal, range(1000, 1000 + CROWD, 2))
        for number in numbers:  # also to those whose rows say nothing
            publish(portal, number)
        assert crowd.read(lambda: len(crowd.told_at) == CROWD // 2, seconds=10)
        crowd.read(lambda: False, seconds=1)
        assert len(crowd.told_at) == CROWD // 2
        assert all(crowd.said_to(one).count(b"event: look") == 1 for one in crowd.told_at)


def test_a_waiting_browser_holds_no_thread_and_no_connection_to_the_database(portal: Portal):
    portal.log_in("owner")  # so that every kind of thread is there
    before = threads_and_files(portal)
    with waiting(portal, range(2000, 2000 + CROWD)) as crowd:
        publish(portal, 2000)
        during = threads_and_files(portal)
        threads = {pid: during[pid][0] - before[pid][0] for pid in before}
        files = sum(during[pid][1] - before[pid][1] for pid in before)
        say(f"threads more in each process: {sorted(threads.values())}; files more: {files}")
        assert max(threads.values()) <= 3  # two that read rows, and perhaps Django's fourth
        # A descriptor each; two connections to the database of at most three files, and one to the broker.
        assert files <= CROWD + len(before) * 10
        page = time.monotonic()
        assert portal.browser().get("/login/").status == 200
        assert time.monotonic() - page < 5
        assert len(crowd.told_at) == 0
    deadline = time.monotonic() + 10
    while (
        sum(files for _, files in threads_and_files(portal).values())
        > sum(files for _, files in before.values()) + len(before) * 10
    ):
        assert time.monotonic() < deadline, "streams are not freed"
        time.sleep(0.1)


def test_how_soon_two_hundred_are_told(portal: Portal):
    numbers = range(3000, 3000 + CROWD)
    said: dict[str, float] = {}
    with waiting(portal, numbers) as crowd:
        by_number = dict(zip(numbers, crowd.tokens.values(), strict=True))
        for number, one in by_number.items():
            change(portal, range(number, number + 1))
            said[one] = time.perf_counter()
            publish(portal, number)
            crowd.read(lambda one=one: one in crowd.told_at, seconds=10)
        assert len(crowd.told_at) == CROWD
        say(tell_apart([crowd.told_at[one] - said[one] for one in said]))


def test_tokens_of_another_kind_or_key_are_refused(portal: Portal):
    portal.sql("INSERT INTO try_row VALUES (9, 1)")
    browser = portal.browser()
    good = browser.get(f"/events/{token('try:9', secret_of(portal.var))}?now")
    assert (good.status, good.text) == (200, "look")
    for bad in (token("try:9", "k" * 50), token("no:9", secret_of(portal.var)), "x", "a/b"):
        page = browser.get(f"/events/{bad}")
        assert (page.status, page.text) == (404, "")
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in page.headers


@pytest.mark.parametrize(
    "target", ["/events/%00", "/events/%ff%fe", "/events/" + "a" * 9000, "/events//x"]
)
def test_garbage_is_answered_and_nothing_falls_over(portal: Portal, target: str):
    raw = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\nConnection: close\r\n\r\n"
    answer = send_raw(portal.port, raw.encode())
    assert answer.split(b" ")[1] in (b"404", b"400")


def test_a_killed_broker_is_survived_by_asking_and_its_return_is_noticed(own_portal: Portal):
    portal = own_portal
    with waiting(portal, range(1, CROWD + 1)) as crowd:
        os.kill(portal.children()["valkey"], signal.SIGKILL)
        shutil.rmtree(portal.var / "appendonlydir", ignore_errors=True)
        change(portal, range(1, CROWD + 1))
        said = time.perf_counter()
        assert crowd.read(lambda: len(crowd.told_at) == CROWD, seconds=30), portal.logs()
        say("broker killed,", tell_apart([at - said for at in crowd.told_at.values()]))
    with waiting(portal, range(1001, 1011)) as crowd:
        crowd.read(lambda: False, seconds=3)  # the broker is back
        assert crowd.told_at == {}
        change(portal, range(1001, 1011))
        said = time.perf_counter()
        for number in range(1001, 1011):
            publish(portal, number)
        assert crowd.read(lambda: len(crowd.told_at) == 10, seconds=20)
        say("broker back,", tell_apart([at - said for at in crowd.told_at.values()]))


def test_a_frozen_broker_costs_a_login_nothing_and_browsers_still_hear(own_portal: Portal):
    portal = own_portal
    number = portal.id_of("owner")
    with waiting(portal, range(number, number + 1)) as crowd:
        valkey = portal.children()["valkey"]
        os.kill(valkey, signal.SIGSTOP)
        try:
            change(portal, range(number, number + 1))
            began = time.monotonic()
            portal.log_in("owner")
            took = time.monotonic() - began
            said = time.perf_counter()
            assert crowd.read(lambda: bool(crowd.told_at), seconds=30)
            (told_at,) = crowd.told_at.values()
            say(f"broker frozen: login {took:.2f} s, told after {told_at - said:.1f} s")
            assert took < 2
        finally:
            os.kill(valkey, signal.SIGCONT)


def test_the_server_stops_in_time_and_in_order_with_open_streams():
    portal = start("sqlite", PYTHONPATH=WATCHING)
    portal.sql("CREATE TABLE try_row (id integer PRIMARY KEY, done integer NOT NULL)")
    try:
        with waiting(portal, range(1, 51)) as crowd:
            began = time.monotonic()
            portal.process.send_signal(signal.SIGINT)
            portal.process.wait(15)
            took = time.monotonic() - began
            assert crowd.read(lambda: len(crowd.ended) == 50, seconds=5)
            say(f"stopped in {took:.1f} s with 50 streams open")
            assert took < 7
            assert crowd.told_at == {}
        log = (portal.var / "log" / "web.log").read_text()
        assert "Traceback" not in log, log[-2000:]
        assert "Exception in ASGI" not in log
    finally:
        portal.stop()
