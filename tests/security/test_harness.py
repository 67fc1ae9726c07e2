"""The races can fail: against a portal whose claims are read-then-save they see more than one success."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.conftest import start
from tests.serving import Portal, press, processes_with

pytestmark = pytest.mark.live
BROKEN = Path(__file__).parent / "broken"
ROUNDS = 5


@pytest.fixture(params=["sqlite", "postgresql"])
def broken_portal(request: pytest.FixtureRequest) -> Iterator[Portal]:
    portal = start(request.param, PYTHONPATH=str(BROKEN))
    yield portal
    portal.stop()


def test_read_then_save_lets_several_logins_through(broken_portal: Portal):
    known = broken_portal.browser()
    page = broken_portal.password(known, "owner")
    known.post(page.path, {"response": press("owner", page.question)})
    successes = []
    for _ in range(ROUNDS):
        broken_portal.reset(sessions=True)
        browser = broken_portal.browser()
        # Of a new browser a message tells, once for each login: that alone would stop the second.
        browser.cookies["known"] = known.cookies["known"]
        page = broken_portal.password(browser, "owner")
        right = browser.raw_post(page.path, {"response": press("owner", page.question)})
        pages = broken_portal.at_once([right] * 20)
        successes.append(sum(p.status == 302 and p.location == "/" for p in pages))
    assert max(successes) > 1, successes
    assert any("happened" in words for words in broken_portal.broken_invariants())


def test_stopping_leaves_no_process_behind():
    portal = Portal("sqlite", from_nothing=True)
    assert set(portal.children()) == {"valkey", "worker", "worker-urgent", "beat", "web"}
    assert len(processes_with(portal.var)) >= 8
    portal.stop()
    assert processes_with(portal.var) == []
