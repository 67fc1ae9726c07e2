"""
The queue of pending shares with 100,000 and 1,000,000 of them, beside Django's own admin list of the same
rows; in this process, in turns. Only when asked by name.
"""

import json
import random
import statistics
import time
from typing import Any

from django.contrib.auth.models import Permission
from django.db import connection
from django.test import override_settings

from bench import people
from bench.browser import InProcess
from bench.journeys import log_in
from bench.options import Options
from bench.report import Row, at_most
from bench.stage import Stage
from compliance.queue.rules import Mark
from portal.models import User
from sls.models import ShareRequest
from tests.counting import counting

SIZES = (100_000, 1_000_000)
QUEUE, PLAIN = "/admin/compliance/pendingshare/", "/plain/compliance/pendingshare/"
OF_PLAIN, OF_SMALL = 0.65, 1.15
FIRST_REQUESTER = 1_000_000_000
# Other pages of the queue beside the first, and at most how much longer they take.
BESIDE = {
    "middle page": 1.2,
    "last page": 1.2,
    "search, requester": 1.5,
    "search, owner": 1.5,
    "one reason of two": None,
    "unclaimed": None,
    "mine": None,
}
MOST_SQL, MOST_MS = 5, 2.0
FILL = """
INSERT INTO portal_entity (id, name, kind, date_of_birth, citizenship, country_of_residence, document_type,
    document_number_sealed, document_number_index, document_expires_on, ssn_sealed, ssn_index, compliance_flag)
SELECT md5('entity' || n)::uuid, 'Person ' || n, 'individual', '1979-03-14', 'NZ', 'NZ', 'passport',
    '', '', '2090-01-01', '', '', false FROM generate_series(%(first)s, %(last)s) n;
INSERT INTO portal_user (id, password, is_superuser, username, entity_id, email, language, is_active, is_staff,
    browser_epoch, created_at)
SELECT 1000000000 + n, '!', false, 'waits-' || n, md5('entity' || n)::uuid, 'w' || n || '@example.com', 'en',
    true, false, 0, now() FROM generate_series(%(first)s, %(last)s) n;
INSERT INTO portal_user (id, password, is_superuser, username, entity_id, email, language, is_active, is_staff,
    browser_epoch, created_at)
SELECT 2000000000 + n, '!', false, 'lends-' || n, md5('entity' || n)::uuid, 'l' || n || '@example.com', 'en',
    true, false, 0, now() FROM generate_series(%(first)s, %(last)s, 4) n;
INSERT INTO sls_securitydevice (id, kind, serial, secret, state, created_at)
SELECT md5('device' || n)::uuid, CASE WHEN n %% 3 = 0 THEN 'code_card' ELSE 'dsc_plus' END, 'W-' || n, '',
    'active', now() FROM generate_series(%(first)s, %(last)s, 4) n;
INSERT INTO sls_challenge (id, user_id, device_id, purpose, session, question, expected, reusable, state,
    issued_at, expires_at, answered_at)
SELECT md5('challenge' || n)::uuid, 1000000000 + n, md5('device' || n - (n - 1) %% 4)::uuid, 'share', '',
    lpad((n %% 1000000)::text, 6, '0'), '', false, 'answered', now(), now(), now()
FROM generate_series(%(first)s, %(last)s) n;
INSERT INTO sls_sharerequest (id, requester_id, owner_id, device_id, challenge_id, owner_password_mark, state,
    reasons, findings, reviewers, decision_reason, client_note, created_at, expires_at, proven_at, submitted_at)
SELECT md5('share' || n)::uuid, 1000000000 + n, 2000000000 + n - (n - 1) %% 4,
    md5('device' || n - (n - 1) %% 4)::uuid, md5('challenge' || n)::uuid, '', 'pending',
    CASE WHEN n %% 10 = 0 THEN '["other_entity", "document_expired"]' ELSE '["other_entity"]' END::jsonb,
    '{"other_entity": 1}', 2, '', '', at, at, at, at
FROM (SELECT n, timestamptz '2026-01-05 12:00Z' + n * interval '10 seconds' AS at
      FROM generate_series(%(first)s, %(last)s) n) numbered;
INSERT INTO compliance_reviewcase (share_id, claimed_by_id, claimed_at, recommended_by_id, recommended_at,
    recommendation, recommendation_reason, recommendation_note, decision, decision_reason, decision_note)
SELECT md5('share' || n)::uuid, %(officer)s, now(),
    CASE WHEN n %% 200 = 0 THEN %(officer)s END, CASE WHEN n %% 200 = 0 THEN now() END,
    CASE WHEN n %% 200 = 0 THEN 'approve' ELSE '' END, '', '', '', '', ''
FROM generate_series(%(first)s, %(last)s) n WHERE n %% 50 = 0;
"""


def run(where: Stage, options: Options) -> list[Row]:
    browser, officer = _officer()
    rows: list[Row] = []
    firsts = []
    with override_settings(ROOT_URLCONF="bench.plain_list"):
        for size in SIZES:
            fill(size, officer)
            found = _measure(browser, size, options)
            rows += found.rows()
            firsts.append([found.cost])
    name = f"{SIZES[1]:,} beside {SIZES[0]:,}, CPU and database"
    rows.append(_ratio(name, firsts[1], firsts[0], OF_SMALL))
    return rows


def fill(size: int, officer: User) -> None:
    """Up to `size` requests that wait, every fiftieth claimed."""
    there = ShareRequest.objects.filter(requester__gt=FIRST_REQUESTER).count()
    values = {"first": there + 1, "last": size, "officer": officer.pk}
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; SET statement_timeout = 0")
        for statement in FILL.split(";\n"):
            if statement.strip():
                cursor.execute(statement, values)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")


def _officer() -> tuple[InProcess, User]:
    person = people.holders("officer-of-queue", 1)[0]
    user = User.objects.get(username=person.username)
    user.is_staff = True
    user.save()
    wanted = ["view_reviewcase", "work_reviewcase"]
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    browser = InProcess()
    log_in(browser, person)
    return browser, user


class _Found:
    """Milliseconds of each kind of page, a median for each round."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken: dict[str, list[float]] = {}
        self.sql = 0
        # Milliseconds of the best of several visits: what a page needs when nothing else runs.
        self.in_database = 0.0
        self.cpu = 0.0

    @property
    def cost(self) -> float:
        """Of the first page, in this process and in the database."""
        return self.cpu + self.in_database

    @property
    def ours(self) -> list[float]:
        return self.taken["first page"]

    def rows(self) -> list[Row]:
        name = f"queue, {self.size:,} waiting: first page (floor: a plain admin list)"
        beside = [
            _ratio(f"  {other}", self.taken[other], self.ours, most)
            for other, most in BESIDE.items()
        ]
        return [
            _ratio(name, self.ours, self.taken["plain"], OF_PLAIN),
            *beside,
            at_most("  SQL", self.sql, MOST_SQL),
            at_most("  in the database", self.in_database, MOST_MS, " ms", 2),
        ]


def _measure(browser: InProcess, size: int, options: Options) -> _Found:
    found = _Found(size)
    pages = {
        "first page": QUEUE,
        "plain": PLAIN,
        "middle page": f"{QUEUE}?after={_mark(size // 2)}",
        "last page": f"{QUEUE}?after={_mark(size - 51)}",
        "search, requester": f"{QUEUE}?q=waits-{size // 2}",
        "search, owner": f"{QUEUE}?q=lends-{size // 2 + 1}",
        "one reason of two": f"{QUEUE}?reason=document_expired",
        "unclaimed": f"{QUEUE}?stage=unclaimed",
        "mine": f"{QUEUE}?stage=mine",
    }
    found.taken = {name: [] for name in pages}
    _visit_in_turn(browser, pages, options.seconds)  # warm
    for _round in range(options.rounds):
        for name, taken in _visit_in_turn(browser, pages, 3 * options.seconds).items():
            found.taken[name].append(taken)
    with counting() as counted:
        browser.get(QUEUE)
    found.sql = counted.sql
    found.in_database = min(_in_database(browser) for _ in range(25))
    found.cpu = min(_cpu(browser) for _ in range(25))
    return found


def _mark(number: int) -> Mark:
    shares = ShareRequest.objects.filter(requester=FIRST_REQUESTER + number)
    share = shares.get()
    assert share.submitted_at
    return Mark(share.submitted_at, share.pk)


def _visit_in_turn(browser: InProcess, pages: dict[str, str], seconds: float) -> dict[str, float]:
    """
    For each page the median of the milliseconds it takes. They take turns in an order that changes, so that
    noise, and whatever a page leaves in the caches, hits all alike.
    """
    order = list(pages.items())
    shuffle = random.Random(7).shuffle
    taken: dict[str, list[float]] = {name: [] for name in pages}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken["plain"]) < 5:
        shuffle(order)
        for name, path in order:
            start = time.perf_counter()
            page = browser.get(path)
            taken[name].append(1000 * (time.perf_counter() - start))
            if name == "plain":
                browser.get(QUEUE)  # what comes after its count finds warm caches again
            assert page.status == 200, (name, page.status)
            if name == "first page":
                assert page.text.count('<tr role="row">') == 51, page.text
        browser.seen.clear()
    return {name: statistics.median(times) for name, times in taken.items()}


def _cpu(browser: InProcess) -> float:
    """Milliseconds of this process for the first page."""
    start = time.process_time()
    browser.get(QUEUE)
    return 1000 * (time.process_time() - start)


def _in_database(browser: InProcess) -> float:
    """Milliseconds the server executes the page's statements, by its own account; it keeps their plans."""
    said: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        said.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        browser.get(QUEUE)
    total = 0.0
    with connection.prepared_cursor() as cursor:  # type: ignore[attr-defined]
        for sql, params in said:
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", params)
            (plan,) = cursor.fetchone()
            told = json.loads(plan) if isinstance(plan, str) else plan
            total += told[0]["Execution Time"]
    return total


def _ratio(name: str, ours: list[float], floor: list[float], most: float | None) -> Row:
    ratio = statistics.median(a / b for a, b in zip(ours, floor, strict=True))
    told = [f"{statistics.median(side):.1f} ms" for side in (ours, floor)]
    target = "" if most is None else f"<= {most:.2f}"
    return Row(name, *told, ratio, target, None if most is None else ratio <= most)
