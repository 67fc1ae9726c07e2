"""Lists, filters, pages and counts of the queue."""

from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest
from django.db import connection

from compliance.queue import queries
from compliance.queue.queries import Counted
from compliance.queue.rules import PAGE, Asked, Order, Stage
from sls.models import ShareRequest, ShareState
from sls.review import ReviewReason
from tests.compliance.crowd import claim, decide, recommend, waiting
from tests.conftest import person
from tests.counting import counting

pytestmark = pytest.mark.usefixtures("on_stage")
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)  # a Wednesday


@pytest.fixture
def officer(on_stage):
    return person("officer")


def ask(officer, now=NOW, **asked):
    return queries.page(Asked(**asked), me=officer, now=now)


def names(page):
    return [row.requester for row in page.rows]


def joined(pages):
    return list(chain.from_iterable(pages))


def every_page(officer, meanwhile=lambda page: None, **asked):
    """The names of every page, from the first to the last."""
    found, page = [], ask(officer, **asked)
    while True:
        found.append(names(page))
        meanwhile(page)
        if page.after is None:
            return found
        page = ask(officer, **asked | {"after": page.after})


# --- Pages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("order", "step"), [(Order.OLDEST, 1), (Order.NEWEST, -1)])
def test_every_request_stands_on_one_page_in_order(officer, order, step):
    waiting(2 * PAGE + 7)
    pages = every_page(officer, order=order)
    assert [len(page) for page in pages] == [PAGE, PAGE, 7]
    assert joined(pages) == [f"waits-{n}" for n in range(2 * PAGE + 7)][::step]


def test_requests_of_the_same_moment_stand_on_one_page_each(officer):
    waiting(2 * PAGE + 7, step=timedelta(0), since=NOW)
    for order in (Order.OLDEST, Order.NEWEST):
        pages = every_page(officer, order=order)
        assert len(set(joined(pages))) == len(joined(pages)) == 2 * PAGE + 7


@pytest.mark.parametrize("order", [Order.OLDEST, Order.NEWEST])
def test_back_leads_to_the_pages_that_were_seen(officer, order):
    waiting(2 * PAGE + 7)
    first = ask(officer, order=order)
    second = ask(officer, order=order, after=first.after)
    third = ask(officer, order=order, after=second.after)
    assert names(ask(officer, order=order, before=third.before)) == names(second)
    back = ask(officer, order=order, before=second.before)
    assert names(back) == names(first)
    assert (first.before, back.before, third.after) == (None, None, None)
    assert back.after == first.after


@pytest.mark.parametrize("order", [Order.OLDEST, Order.NEWEST])
def test_no_request_is_missed_or_doubled_while_others_are_decided(officer, order):
    shares = waiting(4 * PAGE)
    gone = set()

    def somebody_decides(page):
        """The whole page that was just read, and one row of what comes."""
        seen = {row.share_id for row in page.rows}
        gone.update(seen)
        left = [share.pk for share in shares if share.pk not in gone]
        gone.update(left[len(left) // 2 : len(left) // 2 + 1])
        ShareRequest.objects.filter(pk__in=gone).update(state=ShareState.REJECTED)

    found = joined(every_page(officer, somebody_decides, order=order))
    assert len(found) == len(set(found))
    missed = {share.requester.username for share in shares} - set(found)
    assert len(missed) <= 4  # only what was decided before its page was read
    assert missed <= {share.requester.username for share in shares if share.pk in gone}


def test_a_page_behind_the_end_is_empty(officer):
    waiting(PAGE + 1)
    first = ask(officer)
    ShareRequest.objects.all().update(state=ShareState.REJECTED)
    assert ask(officer, after=first.after) == ([], None, None)


# --- Lists and filters -------------------------------------------------------------------------------


@pytest.fixture
def lists(on_stage, officer):
    """One request for each list, and their counts."""
    shares = waiting(6, since=NOW - timedelta(hours=1))
    claim(shares[1], officer)
    claim(shares[2], person("second_officer"))
    recommend(shares[3], officer)
    decide(shares[4], officer, at=NOW - timedelta(days=1))
    late = NOW - timedelta(days=10)
    ShareRequest.objects.filter(pk=shares[5].pk).update(submitted_at=late)


@pytest.mark.usefixtures("lists")
@pytest.mark.parametrize(
    ("stage", "numbers"),
    [
        (Stage.WAITING, [5, 0, 1, 2, 3]),
        (Stage.UNCLAIMED, [5, 0]),
        (Stage.MINE, [1, 3]),
        (Stage.CLAIMED, [1, 2, 3]),
        (Stage.RECOMMENDED, [3]),
        (Stage.OVERDUE, [5]),
        (Stage.DECIDED, [4]),
    ],
)
def test_each_list_holds_its_requests(officer, stage, numbers):
    assert names(ask(officer, stage=stage)) == [f"waits-{n}" for n in numbers]
    if stage != Stage.DECIDED:
        counted = queries.counts(me=officer, now=NOW)[stage]
        assert counted == Counted(len(numbers), False)


def test_a_case_given_back_is_unclaimed(officer):
    case = claim(waiting(1)[0], officer)
    case.claimed_by = case.claimed_at = None
    case.save()
    assert names(ask(officer, stage=Stage.UNCLAIMED)) == ["waits-0"]
    assert queries.counts(me=officer, now=NOW)[Stage.MINE].number == 0


def test_a_withdrawn_request_is_in_no_list_of_what_waits(officer):
    share = waiting(1)[0]
    claim(share, officer)
    ShareRequest.objects.filter(pk=share.pk).update(state=ShareState.CANCELLED)
    for stage, counted in queries.counts(me=officer, now=NOW).items():
        assert counted.number == 0, stage
        assert names(ask(officer, stage=stage)) == [], stage


def test_counts_stop(officer, monkeypatch):
    monkeypatch.setattr(queries, "MOST", 3)
    monkeypatch.setattr(queries, "MOST_OF_CASES", 2)
    queries._counts.cache_clear()
    for share in waiting(5):
        claim(share, officer)
    counts = queries.counts(me=officer, now=NOW)
    queries._counts.cache_clear()
    assert counts[Stage.WAITING] == Counted(3, True)
    assert counts[Stage.MINE] == Counted(2, True)
    assert counts[Stage.UNCLAIMED] == Counted(0, False)


def test_a_request_of_friday_is_overdue_on_wednesday_and_a_holiday_gives_a_day(officer, settings):
    waiting(1, since=datetime(2026, 11, 20, 9, 0, tzinfo=UTC))
    tuesday = datetime(2026, 11, 24, 23, 59, tzinfo=UTC)
    wednesday = datetime(2026, 11, 25, 0, 0, tzinfo=UTC)
    assert names(ask(officer, now=tuesday, stage=Stage.OVERDUE)) == []
    assert names(ask(officer, now=wednesday, stage=Stage.OVERDUE)) == ["waits-0"]
    settings.HOLIDAYS = frozenset({datetime(2026, 11, 23, tzinfo=UTC).date()})
    assert names(ask(officer, now=wednesday, stage=Stage.OVERDUE)) == []


def test_the_longest_claimed_stands_first_in_that_order(officer):
    shares = waiting(3)
    claim(shares[1], officer, at=NOW - timedelta(hours=3))
    claim(shares[0], officer, at=NOW - timedelta(hours=1))
    assert names(ask(officer, order=Order.CLAIMED)) == ["waits-1", "waits-0"]


@pytest.mark.parametrize("reason", list(ReviewReason))
def test_the_queue_is_narrowed_by_each_reason(officer, reason):
    others = [code for code in ReviewReason if code != reason]
    waiting(1, prefix="with", reasons=[others[0], reason])
    waiting(1, prefix="without", reasons=others)
    assert names(ask(officer, reason=reason)) == ["with-0"]


@pytest.mark.parametrize("reason", list(ReviewReason))
def test_each_reason_has_its_index(officer, reason):
    if connection.vendor != "postgresql":
        pytest.skip("the demo's SQLite looks through what waits")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = %s", [f"pending_for_{reason}"]
        )
        assert cursor.fetchone(), "a new reason needs an index: see sls/migrations/"


def test_the_queue_is_narrowed_by_the_kind_of_device(officer):
    waiting(1, prefix="card", kind="code_card")
    waiting(1, prefix="token")
    assert names(ask(officer, kind="code_card")) == ["card-0"]


def test_a_whole_username_finds_what_it_asks_for_and_what_it_lends(officer):
    waiting(3)
    assert names(ask(officer, name="WAITS-1 ")) == ["waits-1"]
    assert names(ask(officer, name="waits-owner-2")) == ["waits-2"]
    assert names(ask(officer, name="waits")) == []
    assert names(ask(officer, name="waits-1", stage=Stage.DECIDED)) == []


def test_decided_requests_are_narrowed_by_day(officer):
    shares = waiting(2)
    decide(shares[0], officer, at=NOW)
    decide(shares[1], officer, at=NOW - timedelta(days=1))
    assert names(ask(officer, stage=Stage.DECIDED)) == ["waits-0", "waits-1"]
    assert names(ask(officer, stage=Stage.DECIDED, day=NOW.date())) == ["waits-0"]


# --- Costs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3 * PAGE])
def test_a_page_and_the_counts_are_a_query_each_whatever_waits(officer, count):
    waiting(count)
    ask(officer)
    queries.counts(me=officer, now=NOW)
    with counting() as counted:
        ask(officer)
        queries.counts(me=officer, now=NOW)
    assert counted.sql == 2, counted
