"""A broker of one's own, and kinds of rows that only tests know."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.live import readers
from tests.valkey import Valkey


@pytest.fixture
def kinds(monkeypatch) -> dict[str, readers.Reader]:
    known: dict[str, readers.Reader] = {}
    monkeypatch.setattr(readers, "_readers", known)
    return known


@pytest.fixture
def valkey(settings) -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory(prefix="v-", dir="/tmp") as folder:  # sockets need short paths
        server = Valkey(Path(folder))
        settings.REDIS_URL = server.url
        yield server
        server.kill()
