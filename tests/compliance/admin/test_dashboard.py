"""The dashboard: its numbers, its links, its chart and its costs."""

import html
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from compliance.models import ReviewCase
from portal import throttle
from portal.models import OutboxMessage
from sls.models import ShareRequest
from tests.compliance.crowd import decide, waiting
from tests.compliance.desk import entitle
from tests.conftest import LogIn, person, use_up
from tests.counting import counting

DASHBOARD = "/admin/compliance/dashboard/"
HOUR = timedelta(hours=1)


@pytest.fixture
def root(log_in: LogIn) -> Client:
    return log_in("administrator")


def figures(answer) -> dict[str, tuple[str, str]]:
    """Number and address by what is counted."""
    assert answer.status_code == 200
    found = re.findall(
        r'<li>(?:<a href="([^"]+)">)?<strong>([^<]+)</strong> ([^<]+)', answer.content.decode()
    )
    return {label.strip(): (number, html.unescape(link)) for link, number, label in found}


def number(answer, words: str) -> str:
    (found,) = [n for label, (n, _link) in figures(answer).items() if words in label]
    return found


def failed(count: int, ago: timedelta = timedelta(0)) -> None:
    now = timezone.now() - ago
    OutboxMessage.objects.bulk_create(
        OutboxMessage(
            user=person("owner"),
            channel="email",
            event="share_pending",
            language="en",
            context="",
            idempotency_key=f"{ago}-{n}",
            state="failed",
            created_at=now,
            next_try_at=now,
            expires_at=now,
        )
        for n in range(count)
    )


def test_what_waits_and_what_is_overdue_is_counted(root):
    waiting(3)
    waiting(2, prefix="late", since=timezone.now() - timedelta(days=20))
    page = root.get(DASHBOARD)
    assert number(page, "waiting") == "5"
    assert number(page, "overdue") == "2"


def test_decisions_are_counted_by_day_and_drawn(root):
    shares = waiting(4)
    now = timezone.now()
    decide(shares[0], person("officer"), at=now)
    decide(shares[1], person("officer"), at=now, decision="reject")
    decide(shares[2], person("officer"), at=now - timedelta(days=3))
    decide(shares[3], person("officer"), at=now - timedelta(days=40))
    page = root.get(DASHBOARD)
    assert number(page, "decided in the last 30 days") == "3"
    text = page.content.decode()
    chart = text.partition('class="desk-chart"')[2].partition("</svg>")[0]
    assert chart.count("desk-bar-approved") == 2
    assert chart.count("desk-bar-rejected") == 1
    table = text[text.index('class="desk-days"') :]
    today = timezone.localdate(now)
    row = table[table.index(f"day={today:%Y-%m-%d}") :]
    assert re.findall(r"<td>(\d+)</td>", row)[:2] == ["1", "1"]
    assert table.count("<tr>") == 31


def test_the_middle_and_the_slow_end_of_the_times_are_told(root):
    now = timezone.now()
    for n, share in enumerate(waiting(10, since=now - timedelta(days=8), step=timedelta(0)), 1):
        decide(share, person("officer"), at=share.submitted_at + n * 10 * HOUR)
    page = root.get(DASHBOARD)
    assert number(page, "half of them") == "2 days"  # the fifth: 50 hours
    assert number(page, "nine of ten") == "4 days"  # the ninth: 90 hours


def test_without_a_decision_there_is_no_time_and_no_share(root):
    page = root.get(DASHBOARD)
    assert number(page, "half of them") == "–"
    assert number(page, "without a review") == "–"


def test_the_part_of_shares_without_review_is_told(root):
    shares = waiting(4)
    ShareRequest.objects.filter(pk=shares[0].pk).update(
        state="enforced",
        approved_at=shares[0].submitted_at,
        enforced_at=shares[0].submitted_at,
    )
    assert number(root.get(DASHBOARD), "without a review") == "25 %"


def test_failures_and_locks_are_counted(root):
    failed(3)
    failed(2, ago=timedelta(days=8))
    user = person("stranger")
    user.locked_at = timezone.now()
    user.save()
    use_up(throttle.SECOND_FACTOR_OF_USER, "robin.travel", timezone.now())
    use_up(throttle.SECOND_FACTOR_OF_USER, "robin.old", timezone.now() - timedelta(days=2))
    page = root.get(DASHBOARD)
    assert number(page, "not delivered") == "3"
    assert number(page, "locked by staff") == "1"
    assert number(page, "locked by failures") == "1"
    locks = root.get(f"{DASHBOARD}locks/").content.decode()
    assert "robin.travel" in locks
    assert "robin.old" not in locks


def test_every_number_leads_to_the_list_behind_it(root):
    failed(1)
    decide(waiting(1)[0], person("officer"), at=timezone.now())
    for label, (_number, link) in figures(root.get(DASHBOARD)).items():
        assert link, label
        assert root.get(link).status_code == 200, label
    failures = figures(root.get(DASHBOARD))["messages not delivered in the last 7 days"][1]
    assert "share_pending" in root.get(failures).content.decode()


def test_who_may_not_see_a_list_gets_no_link_to_it(log_in):
    client = log_in("officer")
    person("officer").groups.clear()
    assert client.get(DASHBOARD).status_code == 403
    assert client.get(f"{DASHBOARD}locks/").status_code == 403
    entitle("officer", "view_reviewcase")
    found = figures(client.get(DASHBOARD))
    assert found["usernames locked by staff"][1] == ""
    assert found["waiting"][1] == "/admin/compliance/pendingshare/"
    for _number, link in found.values():
        assert not link or client.get(link).status_code == 200


def test_the_dashboard_is_linked_from_the_admin_and_the_queue(root):
    assert f'href="{DASHBOARD}"' in root.get("/admin/").content.decode()
    assert f'href="{DASHBOARD}"' in root.get("/admin/compliance/pendingshare/").content.decode()


@pytest.mark.parametrize("way", ["", "locks/", "add/", "1/delete/"])
def test_the_dashboard_only_shows(root, way):
    assert root.post(DASHBOARD + way, {"post": "yes"}).status_code in (404, 405)


def test_the_dashboard_speaks_chinese(root):
    root.cookies["django_language"] = "zh-hans"
    page = root.get(DASHBOARD).content.decode()
    for words in ("合规工作台概览", "待处理", "同样内容的表格"):
        assert words in page, words


@pytest.mark.parametrize("count", [1, 40])
def test_the_dashboard_takes_the_same_queries_whatever_there_is(root, count):
    shares = waiting(count)
    for share in shares[::2]:
        decide(share, person("officer"), at=timezone.now())
    failed(count)
    root.get(DASHBOARD)
    with counting() as counted:
        root.get(DASHBOARD)
    assert counted.sql == 7, counted
    assert ReviewCase.objects.exists()
