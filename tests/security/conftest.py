"""Real portals to attack, and what must hold after every attack."""

from collections.abc import Iterator

import pytest

from tests import postgresql
from tests.serving import Portal


def start(kind: str, **environment: str) -> Portal:
    """A portal on this database. Without PostgreSQL the test is skipped in sight, and fails in CI."""
    try:
        return Portal(kind, **environment)
    except postgresql.NoPostgresql as missing:
        if postgresql.in_ci():
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def portal_on(request: pytest.FixtureRequest) -> Iterator[Portal]:
    """One portal per database, for the whole session."""
    portal = start(request.param)
    yield portal
    portal.stop()


@pytest.fixture
def portal(portal_on: Portal) -> Iterator[Portal]:
    """The portal at its start, and the invariants of abuse-cases.md 2.2 after the test."""
    portal_on.reset(sessions=True)
    yield portal_on
    portal_on.wait_for_messages()
    assert portal_on.broken_invariants() == []


@pytest.fixture
def sqlite_portal() -> Iterator[Portal]:
    """A portal of one's own, to hurt."""
    portal = start("sqlite")
    yield portal
    try:
        assert portal.broken_invariants() == []
    finally:
        portal.stop()
