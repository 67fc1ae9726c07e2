"""What a database is left with after every migration (SQLite builds a table anew and drops its triggers)."""

import sqlite3
from contextlib import closing

import pytest

from tests.serving import prepared

pytestmark = pytest.mark.live
KEPT = (
    "portal_auditevent",
    "compliance_evidenceseen",
    "compliance_reviewcase",
    "sls_reviewpolicy",
)


@pytest.mark.parametrize("table", KEPT)
def test_a_migrated_file_still_guards_its_rows(table: str):
    with closing(sqlite3.connect(prepared("sqlite").var / "portal.sqlite3")) as file:
        found = file.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", [table]
        ).fetchall()
    statements = " ".join(sql for (sql,) in found)
    assert "BEFORE UPDATE" in statements
    assert "BEFORE DELETE" in statements
