"""
Rows as a file, line by line: CSV for a spreadsheet, JSON for a program. Pure but for the reading of rows.
"""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet, TextChoices
from django.utils.translation import gettext_lazy as _

from portal.models import AuditEvent

from .chain import COLUMNS
from .verification import in_batches

NAMES = (*COLUMNS, "hash")
# A spreadsheet takes a cell that begins so for a formula; it takes the full-width forms for the same.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Form(TextChoices):
    CSV = "csv", _("CSV, for a spreadsheet")
    JSON_LINES = "jsonl", _("JSON lines, for a program")

    @property
    def content_type(self) -> str:
        kind = "text/csv" if self is Form.CSV else "application/x-ndjson"
        return f"{kind}; charset=utf-8"


def lines(rows: "QuerySet[AuditEvent]", *, form: Form, up_to: int) -> Iterator[str]:
    """The lines of the file, never more than a batch of rows in memory."""
    as_line = _csv_line if form is Form.CSV else _json_line
    if form is Form.CSV:
        yield _csv_line(NAMES)
    for number, at, *rest in in_batches(rows, up_to=up_to):
        assert isinstance(at, datetime)
        yield as_line((number, at.astimezone(UTC).isoformat(), *rest))


def _json_line(row: tuple[Any, ...]) -> str:
    """As the hash spells it, so that a copy can be verified without us: docs/audit.md."""
    return json.dumps(dict(zip(NAMES, row, strict=True)), ensure_ascii=False) + "\n"


def _csv_line(row: tuple[Any, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow([_harmless(cell) for cell in row])
    return line.getvalue()


def _harmless(cell: object) -> str:
    if isinstance(cell, (dict, list)):
        cell = json.dumps(cell, ensure_ascii=False, sort_keys=True)
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA) else text
