"""Yesterday's database is put back as docs/operations.md says: nothing used since is worth anything (F 169)."""

import shutil

import pytest

from tests.security.conftest import start
from tests.serving import press

pytestmark = pytest.mark.live


def test_what_was_used_after_the_copy_stays_used_after_the_restore():
    portal = start("sqlite", processes=1)
    try:
        inside = portal.log_in("stranger")
        half = portal.browser()
        asked = portal.password(half, "owner")
        wizard = portal.log_in("requester")
        page = portal.start_share(wizard, "owner")

        copy = portal.var / "copy.sqlite3"
        assert portal.manage("backup", str(copy)).returncode == 0

        used = {"response": press("owner", asked.question)}
        assert half.post(asked.path, used).location == "/"
        shared = {"response": press("owner", page.question)}
        assert wizard.post(page.path, shared).location.endswith("/review/")

        portal._end()
        for name in ("portal.sqlite3-wal", "portal.sqlite3-shm"):
            (portal.var / name).unlink(missing_ok=True)
        shutil.copy(copy, portal.var / "portal.sqlite3")
        done = portal.manage("restored")
        assert done.returncode == 0, done.stderr
        assert "look yourself" in done.stdout
        portal.start_again()

        assert inside.get("/settings/").status == 302
        assert half.get("/settings/").status == 302
        assert half.post(asked.path, used).location != "/"
        assert wizard.post(page.path, shared).status in (302, 403)
        assert portal.count("sls_sharerequest WHERE state IN ('proven', 'enforced')") == 0
        assert portal.count("sls_challenge WHERE state = 'open' AND session <> ''") == 0
        assert portal.log_in("owner").get("/settings/").status == 200
        assert portal.broken_invariants() == []
    finally:
        portal.stop()
