"""Frozen, killed and emptied: what a broken part may cost the others (abuse-cases.md I)."""

import os
import shutil
import signal
import sqlite3
import threading
import time
from contextlib import closing
from http.client import HTTPException

import pytest
import redis

from tests.serving import ANSWER_SECONDS, INVARIANTS, Portal, press, user

pytestmark = pytest.mark.live


def share(portal: Portal) -> float:
    """The requester shares the owner's device; how long the last page took, in seconds."""
    browser = portal.log_in("requester")
    review = portal.prove_share(browser, "owner")
    began = time.monotonic()
    page = browser.post(review, follow=True)
    took = time.monotonic() - began
    assert page.share_state == "enforced"
    return took


def assert_told_once(portal: Portal, *, seconds: float = 40) -> None:
    """Both parties have exactly one message file of the share, and every row is closed as sent."""
    portal.wait_for_messages(seconds=seconds)
    rows = portal.sql("SELECT state, idempotency_key FROM portal_outboxmessage")
    assert {state for state, _key in rows} == {"sent"}
    keys = sorted(message["key"] for message in portal.messages())
    assert keys == sorted(key for _state, key in rows)
    assert len([key for key in keys if key.startswith("share")]) == 2


def wait_for_another(portal: Portal, name: str, old: int) -> None:
    deadline = time.monotonic() + 15
    while portal.children().get(name, old) == old:
        assert time.monotonic() < deadline, f"{name} was not started again\n{portal.logs()}"
        time.sleep(0.1)


def test_a_frozen_broker_costs_the_user_nothing(sqlite_portal: Portal):
    valkey = sqlite_portal.children()["valkey"]
    os.kill(valkey, signal.SIGSTOP)
    try:
        assert share(sqlite_portal) < 2
        assert sqlite_portal.messages() == []
        time.sleep(1)
    finally:
        os.kill(valkey, signal.SIGCONT)
    assert_told_once(sqlite_portal)


JUDGED = 'SELECT spent FROM portal_allowance WHERE "limit" = \'password_of_name\' AND "key" = ?'


def test_a_killed_and_emptied_broker_loses_no_message_and_no_count(sqlite_portal: Portal):
    portal = sqlite_portal
    browser = portal.browser()
    guess = {"username": user("stranger")["username"], "password": "not it"}
    for _ in range(10):
        browser.post("/login/", guess)
    judged = portal.sql(JUDGED, guess["username"])
    assert judged[0][0] >= 4
    worker, valkey = portal.children()["worker"], portal.children()["valkey"]
    os.kill(worker, signal.SIGSTOP)  # so that hints lie in the broker when it dies
    assert share(portal) < 2
    os.kill(valkey, signal.SIGKILL)
    shutil.rmtree(portal.var / "appendonlydir", ignore_errors=True)
    os.kill(worker, signal.SIGCONT)
    wait_for_another(portal, "valkey", valkey)
    assert_told_once(portal)
    assert portal.sql(JUDGED, guess["username"]) == judged  # no count is forgotten


def test_a_killed_worker_is_started_again_and_delivers(sqlite_portal: Portal):
    worker = sqlite_portal.children()["worker"]
    os.kill(worker, signal.SIGKILL)
    assert share(sqlite_portal) < 2
    wait_for_another(sqlite_portal, "worker", worker)
    assert_told_once(sqlite_portal)


# As many of one name at once as may fail without a wait, and the one after.
CROWD = ["owner", "requester", "stranger", "other_entity", "outdated_document"] * 4


def test_a_write_lock_held_for_five_seconds_fails_no_login(sqlite_portal: Portal):
    portal = sqlite_portal
    crowd = [(portal.browser(), plays) for plays in CROWD]
    requests = []
    for browser, plays in crowd:
        who = user(plays)
        form = {"username": who["username"], "password": who["password"]}
        requests.append(browser.raw_post("/login/", form))
    pages = []
    with closing(sqlite3.connect(portal.var / "portal.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        logins = threading.Thread(target=lambda: pages.extend(portal.at_once(requests)))
        logins.start()
        time.sleep(5)
        other.execute("ROLLBACK")
    logins.join(ANSWER_SECONDS)

    assert len(pages) == 20
    assert {page.status for page in pages} <= {302, 503}
    assert not any("database is locked" in page.text for page in pages)
    answered = [pair for pair in zip(crowd, pages, strict=True) if pair[1].status == 302]
    assert portal.count("sls_loginattempt") == len(answered)
    for (browser, plays), begun in answered[:1]:
        browser.take(begun)
        page = browser.get("/login/challenge/", follow=True)
        done = browser.post(page.path, {"response": press(plays, page.question)})
        assert done.location == "/"
    portal.log_in("stranger")


def test_a_killed_web_process_leaves_all_or_nothing(sqlite_portal: Portal):
    """I 187, coarsely: the process dies while twenty submits are under way."""
    portal = sqlite_portal
    browser = portal.log_in("requester")
    review = portal.prove_share(browser, "owner")
    requests = [browser.raw_post(review, {}) for _ in range(20)]
    victims = portal.web_processes()
    killer = threading.Timer(0.11, lambda: [os.kill(pid, signal.SIGKILL) for pid in victims])
    killer.start()
    try:
        portal.at_once(requests)
    except (OSError, HTTPException):
        pass  # what a killed server answers
    killer.join()
    deadline = time.monotonic() + 20
    while True:
        try:
            status = portal.browser().get("/health/ready/").status
        except (OSError, ValueError):
            status = 0
        if status == 200:
            break
        assert time.monotonic() < deadline, portal.logs()
        time.sleep(0.2)
    in_force = portal.count("sls_sharerequest WHERE state = 'enforced'")
    assert portal.count("sls_devicegrant WHERE share_id IS NOT NULL") == in_force
    assert portal.count("portal_outboxmessage WHERE event <> 'new_browser'") == 2 * in_force
    portal.wait_for_messages(seconds=40)


def test_an_emptied_broker_forgets_no_lock_no_count_and_no_used_response(sqlite_portal: Portal):
    """I 194: whatever decides anything is a row."""
    portal = sqlite_portal
    guess = {"username": user("stranger")["username"], "password": "not it"}
    for _ in range(6):
        portal.browser().post("/login/", guess)
    judged = portal.sql(JUDGED, guess["username"])
    browser = portal.browser()
    page = portal.password(browser, "owner")
    used = {"response": press("owner", page.question)}
    half = portal.browser()
    waiting = portal.password(half, "owner")
    assert browser.post(page.path, used).location == "/"
    wizard = portal.log_in("requester")
    review = portal.prove_share(wizard, "owner")

    with redis.Redis.from_url(f"unix://{portal.var / 'valkey.sock'}") as broker:
        broker.flushall()
        assert broker.dbsize() == 0

    assert portal.sql(JUDGED, guess["username"]) == judged
    assert browser.get("/settings/").status == 200  # the session is a row, too
    again = portal.browser()
    again.cookies = dict(half.cookies)
    assert again.post(page.path, used).location != "/"  # the other question's response
    assert half.post(waiting.path, {"response": press("owner", waiting.question)}).location == "/"
    assert wizard.post(review, follow=True).share_state == "enforced"
    assert_told_once(portal)


def test_a_copy_made_under_load_is_whole_and_keeps_every_invariant(sqlite_portal: Portal):
    """I 188: at random moments, by the command, while logins and shares go on."""
    portal = sqlite_portal
    stop = threading.Event()

    def work(plays: str) -> None:
        who = user(plays)
        form = {"username": who["username"], "password": who["password"]}
        while not stop.is_set():
            portal.browser().post(
                "/login/", form
            )  # until its challenges are used up: all of it writes

    plays = ("owner", "requester", "stranger")
    workers = [threading.Thread(target=work, args=[one]) for one in plays]
    for worker in workers:
        worker.start()
    copies = []
    try:
        for number in range(4):
            time.sleep(0.3 * number)
            copy = portal.var / f"copy{number}.sqlite3"
            done = portal.manage("backup", str(copy))
            assert done.returncode == 0, done.stderr
            copies.append(copy)
    finally:
        stop.set()
        for worker in workers:
            worker.join(ANSWER_SECONDS)
    sizes = []
    for copy in copies:
        with closing(sqlite3.connect(copy)) as opened:
            assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert opened.execute("PRAGMA foreign_key_check").fetchall() == []
            broken = [
                words for words, query in INVARIANTS.items() if opened.execute(query).fetchall()
            ]
            assert broken == []
            sizes.append(opened.execute("SELECT count(*) FROM portal_auditevent").fetchone()[0])
        checked = portal.manage_on(copy, "verify_audit")
        assert checked.returncode == 0, checked.stderr
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0], "nothing was written meanwhile"


def test_a_restarted_web_server_goes_on_with_a_half_done_wizard_and_login(sqlite_portal: Portal):
    """I 196: flows are rows."""
    portal = sqlite_portal
    wizard = portal.log_in("requester")
    page = portal.start_share(wizard, "owner")
    half = portal.browser()
    waiting = portal.password(half, "stranger")
    web = portal.children()["web"]
    for pid in [web, *portal.web_processes()]:
        os.kill(pid, signal.SIGKILL)
    wait_for_another(portal, "web", web)
    deadline = time.monotonic() + 20
    while True:
        try:
            if portal.browser().get("/health/ready/").status == 200:
                break
        except OSError:
            pass
        assert time.monotonic() < deadline, portal.logs()
        time.sleep(0.2)

    done = wizard.post(page.path, {"response": press("owner", page.question)})
    assert wizard.post(done.location, follow=True).share_state == "enforced"
    done = half.post(waiting.path, {"response": press("stranger", waiting.question)})
    assert done.location == "/"
