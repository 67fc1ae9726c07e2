"""
What is logged and how: one line an event, the request's id on every line, and no secret on any.

`LOG_FORMAT=json` makes each line a JSON object; `LOG_LEVEL` is the one level, for the web, worker and beat
alike, and for Django's, Celery's and uvicorn's own lines. Code must not log secrets in the first place; the
scrubbing here is for what other people's code says (SQL, paths, the details of a database's error).
"""

import json
import logging
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

request_id: ContextVar[str] = ContextVar("request_id", default="-")

LINE = "{asctime} {levelname} {name} [{request_id}] {message}"
LIBRARIES = ("django", "celery", "kombu", "uvicorn", "asyncio")
HIDDEN = "…"

SCRUBBED = [
    # Tokens of django.core.signing, and their long relatives: value:time:signature.
    (re.compile(r"[\w-]+(?::|%3A)[0-9A-Za-z]{6}(?::|%3A)[\w-]{20,}", re.IGNORECASE), HIDDEN),
    # Session keys and digests; a request's id has hyphens.
    (re.compile(r"\b[0-9a-f]{40,}\b"), HIDDEN),
    (re.compile(r"\b1\.[a-z0-9]{1,8}\.[\w-]{30,}=*"), HIDDEN),  # sealed values
    (re.compile(r"\+\d{4,12}(\d{3})\b"), rf"+{HIDDEN}\1"),  # telephone numbers
    (re.compile(r"[\w.+-]+@(?=[\w-]+\.[\w.-]+)"), f"{HIDDEN}@"),  # who, of an e-mail address
    (re.compile(r"^DETAIL:.*$", re.MULTILINE), f"DETAIL: {HIDDEN}"),  # PostgreSQL shows whole rows
]
LITERAL = re.compile(r"'(?:[^']|'')*'")


def scrub(text: str) -> str:
    for pattern, instead in SCRUBBED:
        text = pattern.sub(instead, text)
    return text


class WithRequest(logging.Filter):
    """Gives each record the id of the request, or of the task, in which it was made."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class WithoutValues(logging.Filter):
    """SQL without its values; the access log of a server without query strings."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "django.db.backends" and isinstance(record.args, tuple):
            kept = (LITERAL.sub(f"'{HIDDEN}'", a) for a in record.args if isinstance(a, str))
            record.msg, record.args = "%s", (next(kept, record.msg),)
        elif record.name == "uvicorn.access" and isinstance(record.args, tuple):
            record.args = tuple(
                a.partition("?")[0] if isinstance(a, str) else a for a in record.args
            )
        return True


class Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


class Json(logging.Formatter):
    """`at`, `level`, `logger`, `process`, `request_id`, `message`; `error` with a trace if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "request_id": getattr(record, "request_id", "-"),
            "message": scrub(record.getMessage()),
        }
        if record.exc_info:
            line["error"] = scrub(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def config(*, level: str, form: str) -> dict[str, Any]:
    """Django's LOGGING. `form` is "line" or "json"."""
    if form not in ("line", "json"):
        raise ValueError("LOG_FORMAT is 'line' or 'json'")
    console = {
        "class": "logging.StreamHandler",
        "formatter": form,
        "level": level,
        "filters": ["request", "values"],
    }
    # A library's own handlers would write its lines twice, and unscrubbed.
    ours: dict[str, Any] = {"handlers": [], "level": level, "propagate": True}
    names = (*LIBRARIES, "django.server", "uvicorn.error", "celery.redirected")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "request": {"()": "portal.logs.WithRequest"},
            "values": {"()": "portal.logs.WithoutValues"},
        },
        "formatters": {
            "line": {"()": "portal.logs.Line", "format": LINE, "style": "{"},
            "json": {"()": "portal.logs.Json"},
        },
        "handlers": {"console": console},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {name: dict(ours) for name in names}
        # Requests are lines of portal.access, by the page's name. An address may hold the token of a link, and
        # uvicorn, which reads this after its own --no-access-log, must not find a handler again.
        | {"uvicorn.access": {"handlers": [], "level": level, "propagate": False}}
        # What a client may cause at will (404, a forbidden form) is not worth a line each.
        | {"django.request": {"level": "ERROR"}}
        # At DEBUG it prints the whole context of a page for each variable that it has not got.
        | {"django.template": {"level": "INFO"}},
    }
