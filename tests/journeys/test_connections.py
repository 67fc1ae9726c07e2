"""Web processes keep their database connections: opening one costs more than a page."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.conftest import start
from tests.serving import Portal, press

pytestmark = pytest.mark.live
NOTING = Path(__file__).parent / "noting"
PROCESSES = 2
REQUESTS = 50


class Noted:
    """A portal whose web processes have one thread each, and what they opened."""

    def __init__(self, portal: Portal, notes: Path) -> None:
        self.portal = portal
        self.notes = notes

    def opened(self) -> list[int]:
        """The process of each connection that a web process has opened so far."""
        web = set(self.portal.web_processes())
        return [pid for pid in map(int, self.notes.read_text().split()) if pid in web]

    def log_in(self) -> int:
        """One complete login; how many requests it made."""
        browser = self.portal.browser()
        browser.get("/login/")
        page = self.portal.password(browser, "owner")
        done = browser.post(page.path, {"response": press("owner", page.question)}, follow=True)
        assert (done.path, done.status) == ("/", 200), done.text
        return 5

    def log_in_again_and_again(self, requests: int) -> None:
        done = 0
        while done < requests:
            done += self.log_in()

    def warm_up(self) -> None:
        for _ in range(20):
            self.log_in()
            if len(set(self.opened())) == PROCESSES:
                return
        pytest.fail("the requests did not reach every web process")


@pytest.fixture
def noted(tmp_path: Path) -> Iterator[Noted]:
    notes = tmp_path / "opened"
    notes.touch()
    portal = start(
        "postgresql",
        processes=PROCESSES,
        WEB_THREADS="1",
        PYTHONPATH=str(NOTING),
        CONNECTIONS_OPENED=str(notes),
        LIMITS="challenges_of_user=1000",
    )
    yield Noted(portal, notes)
    portal.stop()


def test_no_request_opens_a_database_connection_in_steady_state(noted: Noted):
    noted.warm_up()
    before = noted.opened()

    noted.log_in_again_and_again(REQUESTS)

    assert noted.opened() == before
    assert len(before) == PROCESSES


def test_a_connection_that_the_server_ended_is_opened_anew_and_noted(noted: Noted):
    """The proof that the count above can rise, and that a login survives it."""
    noted.warm_up()
    before = noted.opened()

    noted.portal.sql(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    noted.log_in_again_and_again(REQUESTS)

    assert len(noted.opened()) > len(before)
