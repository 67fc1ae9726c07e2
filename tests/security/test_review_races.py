"""
Officers, clients and support at the same moment, in processes of their own, on SQLite and PostgreSQL.

The processes call the operations themselves, so what holds here holds for pages, bulk actions and commands.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import postgresql
from tests.conftest import NOW, PLAYS
from tests.serving import ROOT, Portal, environment

pytestmark = pytest.mark.live
ROUNDS = {"postgresql": 50, "sqlite": 15}  # the file has one writer at a time anyway
AHEAD = 0.03  # seconds: every process has read its line by then


class Office:
    """A database with the cast on it, and processes that act on it."""

    def __init__(self, kind: str, processes: int = 4) -> None:
        self.kind = kind
        self.rounds = ROUNDS[kind]
        self._stack = ExitStack()
        self.var = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="o-")))
        more = {}
        if kind == "postgresql":
            more["DATABASE_URL"] = self._stack.enter_context(postgresql.database())
        self.database_url = more.get("DATABASE_URL", "")
        self.environment = environment(self.var, **more) | {
            "DJANGO_SETTINGS_MODULE": "portal.settings"
        }
        self._manage("migrate", "--verbosity", "0")
        self._manage("demo", "--json", str(self.var / "cast.json"))
        self.processes = [self._start() for _ in range(processes)]
        self.now = NOW

    def _manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr

    def _start(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.compliance.officer_process"],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(_end, process)
        return process

    def close(self) -> None:
        self._stack.close()

    def ask(self, *commands: dict[str, Any]) -> list[dict[str, Any]]:
        """The commands at the same moment, each in a process of its own; what each answers."""
        at = time.time() + AHEAD if len(commands) > 1 else 0
        for process, command in zip(self.processes, commands, strict=False):
            assert process.stdin is not None
            process.stdin.write(
                json.dumps(command | {"now": self.now.isoformat(), "at": at}) + "\n"
            )
            process.stdin.flush()
        answers = []
        for process, _command in zip(self.processes, commands, strict=False):
            assert process.stdout is not None
            answers.append(json.loads(process.stdout.readline()))
        return answers

    def prepare(self, reviewers: int = 1) -> dict[str, Any]:
        self.now += timedelta(hours=1)
        (prepared,) = self.ask({"do": "prepare", "reviewers": reviewers})
        return prepared

    connection = Portal.connection
    sql = Portal.sql
    count = Portal.count

    def key(self, share: str) -> str:
        """The id as the database spells it."""
        return share if self.kind == "postgresql" else share.replace("-", "")

    def decisions(self) -> list[dict[str, Any]]:
        """The facts of the audit rows about decisions that were not refused."""
        rows = self.sql(
            "SELECT facts FROM portal_auditevent WHERE event = 'compliance.case.decided'"
        )
        facts = [row[0] if isinstance(row[0], dict) else json.loads(row[0]) for row in rows]
        return [fact for fact in facts if "refused" not in fact]


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate(timeout=10)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def office(request):
    try:
        opened = Office(request.param)
    except postgresql.NoPostgresql as missing:
        if postgresql.in_ci():
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    yield opened
    opened.close()


def told_of(office: Office, share: str) -> Counter[str]:
    events = office.sql(
        "SELECT event FROM portal_outboxmessage WHERE idempotency_key LIKE ?", f"%:{share}:%"
    )
    return Counter(event for (event,) in events)


def deciding(prepared: dict[str, Any], plays: str, verdict: str) -> dict[str, Any]:
    return {"do": "decide", "plays": plays, "verdict": verdict, **prepared}


def test_one_approves_while_another_rejects(office: Office):
    """F 119: one decision, one audit row, one set of notices; the other sees who decided."""
    both = [("officer", "approve"), ("second_officer", "reject")]
    winners: Counter[str] = Counter()
    for number in range(office.rounds):
        prepared = office.prepare()
        crowd = [deciding(prepared, *one) for one in (both * 2 if number % 2 else both[::-1] * 2)]

        answers = office.ask(*crowd)

        won = [a["done"] for a in answers if "done" in a]
        assert len(won) == 1, answers
        winner = PLAYS["officer" if won[0] == "approve" else "second_officer"].username
        lost = [a for a in answers if "done" not in a]
        assert lost == [{"code": "already_decided", "who": winner}] * 3
        share = prepared["share"]
        (made,) = [fact for fact in office.decisions() if fact["share"] == share]
        assert made["verdict"] == won[0]
        event = {"approve": "share_enforced", "reject": "share_rejected"}[won[0]]
        assert told_of(office, share) == {"share_pending": 2, event: 2}
        winners[won[0]] += 1
    assert office.count("compliance_evidenceseen") == office.rounds
    assert len(winners) == 2, "only one of the two ever won: no race"


def test_a_case_is_claimed_once(office: Office):
    for _ in range(office.rounds // 2):
        share = office.prepare()["share"]
        claims = [
            {"do": "claim", "plays": plays, "share": share}
            for plays in ("officer", "second_officer") * 2
        ]
        answers = office.ask(*claims)
        claimed = {a["done"] for a in answers if "done" in a}
        assert len(claimed) == 1, answers
        assert {a["who"] for a in answers if "code" in a} == claimed


def test_a_request_is_approved_or_withdrawn_never_both(office: Office):
    for _ in range(office.rounds // 2):
        prepared = office.prepare()
        share = prepared["share"]
        answers = office.ask(
            deciding(prepared, "officer", "approve"), {"do": "withdraw", "share": share}
        )
        done = [a["done"] for a in answers if "done" in a]
        assert len(done) == 1, answers
        event = {"approve": "share_enforced", "withdrawn": "share_withdrawn"}[done[0]]
        assert told_of(office, share) == {"share_pending": 2, event: 2}
        decided = [fact for fact in office.decisions() if fact["share"] == share]
        assert len(decided) == (done == ["approve"])


def test_a_device_revoked_in_the_moment_of_approval_is_never_in_force(office: Office):
    for _ in range(office.rounds // 2):
        prepared = office.prepare()
        share = prepared["share"]
        approval, revocation = office.ask(
            deciding(prepared, "officer", "approve"), {"do": "revoke", "share": share}
        )
        assert revocation == {"done": "revoked"}
        assert approval.get("code") in (None, "request_over", "no_shareable_device", "data_changed")
        states = office.sql("SELECT state FROM sls_sharerequest WHERE id = ?", office.key(share))
        assert states == [("cancelled",)]
        live = "sls_devicegrant WHERE share_id = ? AND state <> 'ended'"
        assert office.count(live, office.key(share)) == 0
        decided = [fact for fact in office.decisions() if fact["share"] == share]
        assert len(decided) == ("done" in approval)


def test_a_device_suspended_in_the_moment_of_approval_wakes_what_the_requester_has(office: Office):
    asleep = "sls_devicegrant g JOIN sls_sharerequest s ON s.requester_id = g.user_id"
    for _ in range(office.rounds // 2):
        prepared = office.prepare()
        share = prepared["share"]
        approval, suspension = office.ask(
            deciding(prepared, "officer", "approve"), {"do": "suspend", "share": share}
        )
        assert suspension == {"done": "suspended"}
        assert approval.get("code") in (None, "no_shareable_device", "data_changed"), approval
        assert (
            office.count(f"{asleep} WHERE s.id = ? AND g.state = 'dormant'", office.key(share)) == 0
        )
