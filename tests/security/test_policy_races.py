"""Review rules scheduled and withdrawn by several officers at once, over four server processes."""

from datetime import UTC, datetime, timedelta

import pytest

from sls.review import SHIPPED
from tests.serving import Portal

pytestmark = pytest.mark.live
ROUNDS = 5
CROWD = 12
LIST = "/admin/sls/reviewpolicy/"


def wanted(follows: int, days: int) -> dict[str, str]:
    """The shipped rules, from so many days on, confirmed."""
    starts_at = datetime.now(UTC) + timedelta(days=days)
    form = {"follows": str(follows), "note": "All at once.", "confirm": "1"}
    form |= {"starts_at": f"{starts_at:%Y-%m-%dT%H:%M}"}
    for code, rule in SHIPPED.items():
        form |= {f"{code}-is_on": "on", f"{code}-threshold": str(rule.threshold)}
        form |= {f"{code}-reviewers": str(rule.reviewers)}
    return form


def versions(portal: Portal) -> list[tuple]:
    return portal.sql("SELECT id, starts_at, ends_at FROM sls_reviewpolicy ORDER BY starts_at")


def no_gap_and_no_overlap(portal: Portal) -> bool:
    rows = versions(portal)
    starts = [starts_at for _id, starts_at, _ends_at in rows]
    return [ends_at for _id, _starts_at, ends_at in rows] == [*starts[1:], None]


def test_many_who_schedule_at_once_schedule_one(portal: Portal):
    officers = [portal.log_in("lead"), portal.log_in("administrator")]
    follows = 0
    for day in range(1, ROUNDS + 1):
        before = len(versions(portal))
        crowd = [
            officers[number % 2].raw_post(LIST + "new/", wanted(follows, day))
            for number in range(CROWD)
        ]

        pages = portal.at_once(crowd)

        portal.refute_server_errors(pages)
        assert len(versions(portal)) == before + 1
        assert no_gap_and_no_overlap(portal)
        assert [page.location for page in pages if page.location] == [LIST]
        assert {page.code for page in pages if not page.location} == {"policy_overtaken"}
        follows = versions(portal)[-1][0]


def test_who_schedules_and_who_withdraws_leave_neither_gap_nor_overlap(portal: Portal):
    officers = [portal.log_in("lead"), portal.log_in("administrator")]
    for _ in range(ROUNDS):
        portal.reset()
        assert officers[0].post(LIST + "new/", wanted(0, 1)).location == LIST
        first = versions(portal)[0][0]
        assert officers[0].post(LIST + "new/", wanted(first, 2)).location == LIST
        last = versions(portal)[-1][0]
        withdrawn = officers[0].raw_post(f"{LIST}{last}/withdraw/", {"note": "Not now."})
        followed = officers[1].raw_post(LIST + "new/", wanted(last, 3))

        pages = portal.at_once([withdrawn, followed] * (CROWD // 2))

        portal.refute_server_errors(pages)
        assert no_gap_and_no_overlap(portal)
        assert len(versions(portal)) in (1, 3)
