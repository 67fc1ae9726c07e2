"""
The hot queries on a large database: every statement of a journey is explained by PostgreSQL, and none may read a
large table from end to end.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from portal.models import Urgency
from portal.outbox import delivery
from sls import tasks
from tests.conftest import PLAYS, password, press, question_on

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL explains")
MANY = 20_000
LARGE = 1000  # rows
LIST = "/settings/user/secure-login/"

SEED = f"""
INSERT INTO portal_entity (id, name, kind, date_of_birth, citizenship, country_of_residence, document_type,
    document_number_sealed, document_number_index, ssn_sealed, ssn_index, compliance_flag)
  SELECT md5('e' || n)::uuid, 'Person ' || n, 'individual', NULL, 'NZ', 'NZ', 'passport', '', 'k:' || n, '', '', false
  FROM generate_series(1, {MANY}) n;
INSERT INTO portal_user (password, is_superuser, username, email, language, is_active, is_staff, browser_epoch,
    created_at, entity_id)
  SELECT '!', false, 'seeded.' || n, 'seeded@portal.example', 'en', true, false, 0, now(), md5('e' || n)::uuid
  FROM generate_series(1, {MANY}) n;
INSERT INTO sls_securitydevice (id, kind, serial, secret, state, created_at)
  SELECT md5('d' || n)::uuid, 'dsc_plus', 'SEED-' || n, '', 'active', now() FROM generate_series(1, {MANY}) n;
INSERT INTO sls_devicegrant (name, confirmed, state, granted_at, is_preferred, device_id, user_id)
  SELECT '', true, 'active', now(), false, md5('d' || n)::uuid, u.id
  FROM generate_series(1, {MANY}) n JOIN portal_user u ON u.username = 'seeded.' || n;
INSERT INTO sls_challenge (id, purpose, session, question, expected, reusable, state, issued_at, expires_at,
    answered_at, device_id, user_id)
  SELECT md5('c' || n || k)::uuid, 'login', md5(n || 's'), k::text, '', false,
    CASE WHEN k = 1 THEN 'open' ELSE 'answered' END, now() - interval '9 days', now() - interval '9 days',
    CASE WHEN k = 1 THEN NULL ELSE now() END, md5('d' || n)::uuid, u.id
  FROM generate_series(1, {MANY}) n JOIN portal_user u ON u.username = 'seeded.' || n, generate_series(1, 3) k;
INSERT INTO sls_loginattempt (id, session, password_mark, state, confirms, preference, address, browser,
    started_at, expires_at, challenge_id, user_id)
  SELECT md5('a' || n)::uuid, md5(n || 's'), '', 'completed', false, '', '', '', now() - interval '9 days',
    now() - interval '9 days', md5('c' || n || '2')::uuid, u.id
  FROM generate_series(1, {MANY}) n JOIN portal_user u ON u.username = 'seeded.' || n;
INSERT INTO sls_sharerequest (id, owner_password_mark, state, reasons, created_at, expires_at, proven_at,
    submitted_at, ended_at, challenge_id, device_id, owner_id, requester_id, findings, reviewers, decision_reason,
    client_note)
  SELECT md5('s' || n)::uuid, '', CASE WHEN n % 100 = 0 THEN 'pending' ELSE 'cancelled' END, '[]', now(), now(),
    now(), now(), CASE WHEN n % 100 = 0 THEN NULL ELSE now() END, md5('c' || n || '3')::uuid, md5('d' || n)::uuid,
    u.id, r.id, '{{}}', 0, '', ''
  FROM generate_series(1, {MANY} - 1) n JOIN portal_user u ON u.username = 'seeded.' || n
    JOIN portal_user r ON r.username = 'seeded.' || (n + 1);
INSERT INTO portal_allowance ("limit", key, spent, size, slides, last_at, resets_at, refused)
  SELECT 'password_of_name', 'seeded.' || n, 1, 10, true, now(), now() + interval '1 day', false
  FROM generate_series(1, {MANY}) n;
INSERT INTO portal_browsersession (session_key, session_data, expire_date, handle, address, browser, user_id, seen_at)
  SELECT md5('k' || n) || 'abcdef01', '', now() + interval '1 hour', md5('h' || n), '', '', u.id, now()
  FROM generate_series(1, {MANY}) n JOIN portal_user u ON u.username = 'seeded.' || n;
INSERT INTO portal_auditevent (number, at, event, actor, subject, address, request_id, facts, previous_hash, hash)
  SELECT 1000000 + n, now(), 'sls.login.completed', 'seeded.' || n, 'seeded.' || n, '', '', '{{}}', 'p' || n, 'h' || n
  FROM generate_series(1, {MANY}) n;
"""


@pytest.fixture
def large(on_stage) -> None:
    """Twenty thousand users with what they leave behind, and messages that have long been sent."""
    from portal.models import OutboxMessage
    from portal.outbox.enqueue import message

    with connection.cursor() as cursor:
        for statement in SEED.split(";\n"):
            if statement.strip():
                cursor.execute(statement)
        from tests.conftest import person

        now, owner = timezone.now(), person("owner")
        rows = [
            message(user=owner, event="share_withdrawn", fact=str(n), now=now, a="b")
            for n in range(LARGE * 3)
        ]
        for row in rows[10:]:
            row.state, row.context = "sent", ""
        OutboxMessage.objects.bulk_create(rows)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ANALYZE")


@contextmanager
def explaining() -> Iterator[list[str]]:
    """Collects what reads a large table from end to end, as "table: statement"."""
    sizes, found = _sizes(), []

    def explain(execute, sql, params, many, context):
        statement = sql.split(";")[-1].strip() if "pg_advisory" in sql else sql.strip()
        if statement.upper().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            with connection.connection.cursor() as cursor:
                cursor.execute("EXPLAIN (FORMAT JSON) " + statement, params)
                (plans,) = cursor.fetchone()
            words = " ".join(statement.split())[:300]
            tables = _read_through(plans[0]["Plan"])
            found.extend(f"{name}: {words}" for name in tables if sizes.get(name, 0) >= LARGE)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield found


def _sizes() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, reltuples::bigint FROM pg_class WHERE relkind = 'r'")
        return dict(cursor.fetchall())


def _read_through(plan: dict) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for inner in plan.get("Plans", []):
        yield from _read_through(inner)


def test_the_harness_sees_a_table_that_is_read_through(large):
    with explaining() as found, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sls_challenge WHERE expected = 'x'")
    assert [line.partition(":")[0] for line in found] == ["sls_challenge"]


def test_login_device_list_and_history_read_no_large_table_through(large):
    client = Client()
    with explaining() as found:
        form = {"username": PLAYS["owner"].username, "password": password("owner")}
        client.post("/login/", form | {"password": "wrong"})
        page = client.post("/login/", form, follow=True)
        where = page.redirect_chain[-1][0]
        response = press("owner", question_on(page.content.decode()))
        assert client.post(where, {"response": response}).url == "/"
        for path in ("/", LIST, "/settings/user/history/", "/settings/user/sessions/"):
            assert client.get(path).status_code == 200
    assert found == []


def test_the_share_wizard_reads_no_large_table_through(large, log_in):
    client = log_in("requester")
    with explaining() as found:
        form = {"username": PLAYS["owner"].username, "password": password("owner")}
        where = client.post(LIST + "share/", form).url
        response = press("owner", question_on(client.get(where).content.decode()))
        review = client.post(where, {"response": response}).url
        status = client.post(review).url
        assert 'data-status="enforced"' in client.get(status).content.decode()
    assert found == []


def test_the_queue_and_the_sweep_read_no_large_table_through(large):
    now = timezone.now()
    with explaining() as found:
        for pk in delivery.overdue(now=now, at_most=5):
            delivery.deliver(pk, now=now)
        delivery.early(now=now, at_most=5, urgency=Urgency.URGENT)
    assert found == []


def test_closing_what_has_expired_reads_no_large_table_through(large):
    """
    But for the allowances: the table is as large as what happened today, it is read once a minute, and an
    index on its times would have to be written with every try that counts.
    """
    with explaining() as found:
        tasks.close_expired()
    assert {line.partition(":")[0] for line in found} <= {"portal_allowance"}


def test_the_metrics_and_health_read_no_large_table_through(large, settings):
    from portal.metrics.page import page

    with explaining() as found:
        page(now=timezone.now())
        assert Client().get("/health/ready/").status_code == 200
    assert found == []
