"""
A real portal for tests: `manage.py serve` with four web processes on loopback, in a folder of its own.

Threads in one process prove nothing about two databases and four processes, so whatever is about races
or faults runs against this. `Browser` is a browser as far as cookies, the anti-forgery token and
redirects go.
"""

import atexit
import html
import http.client
import json
import os
import re
import secrets
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import psycopg

from sls import oath
from tests import postgresql

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
ANSWER_SECONDS = 40
OURS = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "VAULT_KEYS", "ALLOWED_HOSTS", "BASE_URL")
SECURE_LOGIN = "/settings/user/secure-login/"
SHARE = SECURE_LOGIN + "share/"


# --- Pages and browsers --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    path: str = ""

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def location(self) -> str:
        return urlsplit(self.headers.get("Location", "")).path

    @property
    def code(self) -> str:
        """The stable code of the refusal on the page, or ""."""
        found = re.search(r'data-code="([a-z_]+)"', self.text)
        return found[1] if found else ""

    @property
    def share_state(self) -> str:
        found = re.search(r'data-status="([a-z_]+)"', self.text)
        return found[1] if found else ""

    @property
    def question(self) -> str:
        found = re.search(r'id="(?:challenge-code|index-numbers)">([^<]+)<', self.text)
        assert found, f"no security element on {self.path}: {self.status}"
        return html.unescape(found[1]).strip()


@dataclass
class Browser:
    """Cookies, the token, and redirects on demand; one fresh connection a request."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    timeout: float = ANSWER_SECONDS

    def get(self, path: str, *, follow: bool = False, **headers: str) -> Page:
        return self._send("GET", path, None, follow=follow, headers=headers)

    def post(
        self, path: str, data: dict[str, Any] | None = None, *, follow: bool = False, **headers: str
    ) -> Page:
        return self._send("POST", path, self.form(data or {}), follow=follow, headers=headers)

    def form(self, data: dict[str, Any]) -> bytes:
        if "csrf" not in self.cookies:
            self.get("/login/")
        token = {"csrfmiddlewaretoken": self.cookies.get("csrf", "")}
        return urlencode(token | data, doseq=True).encode()

    def raw_post(self, path: str, data: dict[str, Any]) -> bytes:
        """The bytes of a POST, for `at_once`."""
        body = self.form(data)
        head = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", "Connection: close"]
        head += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
        head += [f"Cookie: {self._cookie_header()}"]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body

    def take(self, page: Page) -> None:
        for line in page.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value

    def _cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _send(
        self, method: str, path: str, body: bytes | None, *, follow: bool, headers: dict[str, str]
    ) -> Page:
        sent = {"Cookie": self._cookie_header(), "Host": f"127.0.0.1:{self.port}"}
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        with closing(connection):
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            page = Page(answer.status, answer.msg, answer.read(), path)
        self.take(page)
        if follow and page.status in (301, 302, 303):
            goal = urlsplit(urljoin(path, page.headers["Location"]))
            onward = goal.path + (f"?{goal.query}" if goal.query else "")
            return self._send("GET", onward, None, follow=True, headers={})
        return page


def at_once(port: int, requests: Sequence[bytes], *, spread: "Portal | None" = None) -> list[Page]:
    """
    Send all requests but their last byte, each on a connection of its own, then the last bytes together.
    """
    with ExitStack() as stack:
        sockets = []
        for raw in requests:
            connection = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS)
            stack.enter_context(closing(connection))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(raw[:-1])
            sockets.append(connection)
        _wait_until_accepted(port, sockets)
        time.sleep(0.1)  # every process has read what there is of its share
        if spread is not None:
            spread.last_spread = spread.processes_of(sockets)
        for connection, raw in zip(sockets, requests, strict=True):
            connection.send(raw[-1:])
        return [_read(connection) for connection in sockets]


def _wait_until_accepted(port: int, sockets: Sequence[socket.socket]) -> None:
    """On a busy machine connections wait in the kernel, which knows of no process that has them."""
    ours = {connection.getsockname()[1] for connection in sockets}
    deadline = time.monotonic() + ANSWER_SECONDS
    while "0" in _inodes_of(port, ours) and time.monotonic() < deadline:
        time.sleep(0.01)


def _inodes_of(port: int, remotes: set[int]) -> list[str]:
    """Of the sockets at this port whose other ends are these; "0" is one that nobody has accepted."""
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        local, remote = (int(columns[i].rpartition(":")[2], 16) for i in (1, 2))
        if local == port and remote in remotes:
            found.append(columns[9])
    return found


def _read(connection: socket.socket) -> Page:
    answer = http.client.HTTPResponse(connection)
    with closing(answer):
        answer.begin()
        return Page(answer.status, answer.msg, answer.read())


# --- The cast ------------------------------------------------------------------------------------------


@cache
def the_cast() -> dict[str, list[dict[str, Any]]]:
    """What `manage.py demo --only-json` prints."""
    with tempfile.TemporaryDirectory(prefix="c-") as folder:
        done = subprocess.run(
            [sys.executable, "manage.py", "demo", "--only-json"],
            cwd=ROOT,
            env=environment(Path(folder)),
            check=True,
            capture_output=True,
            timeout=60,
        )
    cast: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return cast


def user(plays: str) -> dict[str, Any]:
    return next(user for user in the_cast()["users"] if user["plays"] == plays)


def device(plays: str) -> dict[str, Any]:
    """The permanent device of the one who plays this."""
    name = user(plays)["username"]
    devices = [d for d in the_cast()["devices"] if d["user"] == name]
    return next(d for d in devices if d["kind"] != "temporary_code")


def press(plays: str, question: str) -> str:
    """What his device displays, from the secrets the cast was printed with."""
    held = device(plays)
    if held["cells"]:
        return "".join(held["cells"][index] for index in question.split())
    return oath.ocra(held["suite"], bytes.fromhex(held["secret"]), question, pin=held["pin"])


def wrong(response: str) -> str:
    """A response of the same form that is not it."""
    return response[:-1] + ("7" if response[-1] != "7" else "6")


def environment(var: Path, **more: str) -> dict[str, str]:
    """A demo mode's environment of its own: nothing of ours leaks into it."""
    kept = {k: v for k, v in os.environ.items() if k not in OURS and not k.startswith("COV_")}
    kept.pop("DJANGO_SETTINGS_MODULE", None)
    kept.pop("MESSAGE_FOLDER", None)
    return kept | {"DEMO_MODE": "1", "CHEAP_HASHER": "1", "VAR_DIR": str(var)} | more


# --- The portal ----------------------------------------------------------------------------------------


def free_port() -> int:
    """Below 32768, where the kernel takes none for its own outgoing connections."""
    for _ in range(200):
        port = 20_000 + secrets.randbelow(12_000)
        if not is_taken(port):
            return port
    raise OSError("no free port")


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


PREPARE = """
import django
django.setup()
from portal.management.commands.serve import prepare
prepare(print)
"""


@dataclass(frozen=True)
class Prepared:
    """What a first start leaves: its folder and its database."""

    var: Path
    database_url: str


@cache
def prepared(kind: str) -> Prepared:
    """
    Made once in each process of tests, to be copied: a first start takes longer than most tests. Those of the
    harness make one of their own.
    """
    var = Path(tempfile.mkdtemp(prefix="t-", dir="/tmp"))
    atexit.register(shutil.rmtree, var, ignore_errors=True)
    more = {"DJANGO_SETTINGS_MODULE": "portal.settings"}
    if kind == "postgresql":
        kept = ExitStack()
        atexit.register(kept.close)
        more["DATABASE_URL"] = kept.enter_context(postgresql.database())
    subprocess.run(
        [sys.executable, "-c", PREPARE],
        cwd=ROOT,
        env=environment(var, **more),
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=2 * START_SECONDS,
    )
    return Prepared(var, more.get("DATABASE_URL", ""))


GUARDED = ("compliance_evidenceseen", "compliance_reviewcase", "sls_reviewpolicy")


class Portal:
    """`manage.py serve`, its database, its folder of messages, and its processes."""

    def __init__(
        self, kind: str, *, processes: int = 4, from_nothing: bool = False, **more: str
    ) -> None:
        self.kind = kind
        self.port = free_port()
        self.var = Path(tempfile.mkdtemp(prefix="p-", dir="/tmp"))
        self.last_spread: set[int] = set()
        self._stack = ExitStack()
        self._stack.callback(shutil.rmtree, self.var, ignore_errors=True)
        try:
            first = None if from_nothing else prepared(kind)
            if first:
                shutil.copytree(first.var, self.var, dirs_exist_ok=True)
            if kind == "postgresql":
                copy = postgresql.database(first.database_url if first else "")
                more["DATABASE_URL"] = self._stack.enter_context(copy)
            self.database_url = more.get("DATABASE_URL", "")
            self.environment = environment(self.var, **more)
            self._processes = processes
            self._stack.callback(self._end)
            self._start()
        except BaseException:
            self._stack.close()
            raise

    def _start(self) -> None:
        """On another port when somebody was quicker than we: tests run beside one another."""
        for _ in range(3):
            try:
                self.start_again()
                return
            except RuntimeError:
                if b"is taken" not in self.log.read_bytes():
                    raise
                self.port = free_port()
        raise RuntimeError("every port is taken")

    def start_again(self) -> None:
        """`serve` in the same folder, on the same port: after `end` or `kill` it finds what it left there."""
        self.log = self.var / "serve.log"
        command = [sys.executable, "manage.py", "serve", "--processes", str(self._processes)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--bind", f"127.0.0.1:{self.port}"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        deadline = time.monotonic() + START_SECONDS
        while b"is ready" not in self.log.read_bytes():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the portal does not start:\n{self.logs()}")
            time.sleep(0.05)

    def end(self, how: signal.Signals) -> None:
        """All of it ends: the supervisor by `how`, or by SIGKILL every process at once."""
        if how is signal.SIGKILL:
            for pid in processes_with(self.var):
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
        else:
            self.process.send_signal(how)
        self.process.wait(START_SECONDS)
        deadline = time.monotonic() + START_SECONDS
        while processes_with(self.var) or is_taken(self.port):  # a dead one's sockets close late
            assert time.monotonic() < deadline, f"something goes on\n{self.logs()}"
            time.sleep(0.05)

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self) -> None:
        self._stack.close()

    def browser(self) -> Browser:
        return Browser(self.port)

    def at_once(self, requests: Sequence[bytes]) -> list[Page]:
        return at_once(self.port, requests, spread=self)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def manage_on(self, copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same command on a copy of the database, with the same keys."""
        here, self.environment = (
            self.environment,
            self.environment | {"DATABASE_URL": f"sqlite:///{copy}"},
        )
        try:
            return self.manage(*arguments)
        finally:
            self.environment = here

    def logs(self) -> str:
        files = [self.log, *sorted((self.var / "log").glob("*.log"))]
        return "\n".join(f"--- {f.name}\n{f.read_text(errors='replace')[-3000:]}" for f in files)

    # Journeys

    def log_in(self, plays: str) -> Browser:
        """A browser logged in with his device, if he has one."""
        browser = self.browser()
        page = self.password(browser, plays)
        if page.path == "/":
            return browser
        done = browser.post(page.path, {"response": press(plays, page.question)})
        assert done.status == 302, done.text
        return browser

    def password(self, browser: Browser, plays: str) -> Page:
        """The page after the right password: home, or the device's."""
        who = user(plays)
        page = browser.post(
            "/login/", {"username": who["username"], "password": who["password"]}, follow=True
        )
        if page.path == "/login/choose/":
            grants = re.findall(r'name="grant" value="(\d+)"', page.text)
            page = browser.post("/login/choose/", {"grant": grants[0]}, follow=True)
        return page

    def start_share(self, browser: Browser, owner: str) -> Page:
        """The respond page of a new wizard; its `path` names the request."""
        who = user(owner)
        page = browser.post(
            SHARE, {"username": who["username"], "password": who["password"]}, follow=True
        )
        assert page.path.endswith("/respond/"), (page.status, page.path, page.code)
        return page

    def prove_share(self, browser: Browser, owner: str) -> str:
        """The address of the review page of a new wizard whose device is proven."""
        page = self.start_share(browser, owner)
        done = browser.post(page.path, {"response": press(owner, page.question)})
        assert done.location.endswith("/review/"), done.location
        return done.location

    # Processes

    def children(self) -> dict[str, int]:
        """The supervised processes: valkey, both workers, beat and web, by name."""
        names = {"valkey": "valkey-server", "beat": "beat", "web": "uvicorn"}
        names |= {name: f"{name}@" for name in ("worker", "worker-urgent")}
        found = {}
        for pid in _children_of(self.process.pid):
            words = _command_of(pid)
            for name, word in names.items():
                if any(word in part for part in words[:8]):
                    found.setdefault(name, pid)
        return found

    def web_processes(self) -> list[int]:
        return [
            pid
            for pid in _children_of(self.children()["web"])
            if any("spawn_main" in part for part in _command_of(pid))
        ]

    def processes_of(self, sockets: Sequence[socket.socket]) -> set[int]:
        """Which web processes hold the other ends of these connections."""
        ours = {connection.getsockname()[1] for connection in sockets}
        inodes = {f"socket:[{inode}]" for inode in _inodes_of(self.port, ours)}
        return {
            pid
            for pid in self.web_processes()
            for handle in Path(f"/proc/{pid}/fd").iterdir()
            if _link(handle) in inodes
        }

    # Messages and database

    def messages(self) -> list[dict[str, Any]]:
        files = (self.var / "messages").glob("*.json")
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]

    @contextmanager
    def connection(self) -> Iterator[Any]:
        if self.kind == "postgresql":
            with psycopg.connect(self.database_url, autocommit=True) as connection:
                yield connection
        else:
            path = self.var / "portal.sqlite3"
            with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as connection:
                connection.execute("PRAGMA foreign_keys=ON")
                yield connection

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        if self.kind == "postgresql":
            statement = statement.replace("?", "%s")
        with self.connection() as connection:
            cursor = connection.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []

    def count(self, table_and_where: str, *values: Any) -> int:
        return int(self.sql(f"SELECT count(*) FROM {table_and_where}", *values)[0][0])

    def id_of(self, plays: str) -> int:
        name = user(plays)["username"]
        return int(self.sql("SELECT id FROM portal_user WHERE username = ?", name)[0][0])

    def reset(self, *, sessions: bool = False) -> None:
        """Forget shares, questions, counts and messages; the cast, its devices and the audit trail stay."""
        statements = [
            "DELETE FROM portal_outboxattempt",
            "DELETE FROM portal_outboxmessage",
            *PHONES_ANEW,
            "DELETE FROM sls_loginattempt",
            "DELETE FROM sls_onlinecardrequest",
            "DELETE FROM sls_temporarycoderequest",
            "DELETE FROM sls_numbercheck",
            "DELETE FROM sls_passwordreset",
            "DELETE FROM sls_devicegrant WHERE share_id IS NOT NULL",
            "DELETE FROM compliance_evidenceseen",
            "DELETE FROM compliance_reviewcase",
            "DELETE FROM sls_sharerequest",
            "DELETE FROM sls_callercheck",
            "DELETE FROM sls_suspension",
            "UPDATE sls_securitydevice SET state = 'active' WHERE kind IN ('dsc_plus', 'code_card')",
            "DELETE FROM sls_reviewpolicy",
            "DELETE FROM sls_challenge",
            f"DELETE FROM sls_devicegrant WHERE device_id IN (SELECT id {MADE_MEANWHILE})",
            f"DELETE {MADE_MEANWHILE}",
            "UPDATE sls_securitydevice SET state = 'active' WHERE kind = 'temporary_code'",
            "DELETE FROM portal_allowance",
            "UPDATE sls_devicegrant SET last_used_at = NULL",
            "UPDATE sls_devicegrant SET state = 'active', confirmed = true, ended_at = NULL, is_preferred = false",
            *(["DELETE FROM portal_browsersession"] if sessions else []),
        ]
        with self.connection() as connection:
            asleep, awake = self._guards(connection)
            connection.execute("BEGIN" if self.kind == "postgresql" else "BEGIN IMMEDIATE")
            for statement in [*asleep, *statements, *awake]:
                connection.execute(statement)
            connection.execute("COMMIT")

    def _guards(self, connection: Any) -> tuple[list[str], list[str]]:
        """What puts the triggers of the tables to sleep that nobody may empty, and what wakes them."""
        if self.kind == "postgresql":
            change = "ALTER TABLE {} {} TRIGGER USER"
            checks = "SET CONSTRAINTS ALL IMMEDIATE"  # or those that are due are in the way
            # A worker may be closing a message this very moment.
            alone = "LOCK TABLE portal_outboxmessage, portal_outboxattempt IN EXCLUSIVE MODE"
            asleep = [alone, *(change.format(table, "DISABLE") for table in GUARDED)]
            return asleep, [checks, *(change.format(table, "ENABLE") for table in GUARDED)]
        names = ", ".join(f"'{table}'" for table in GUARDED)
        known = connection.execute(
            f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ({names})"
        ).fetchall()
        return [f"DROP TRIGGER {name}" for name, _sql in known], [sql for _name, sql in known]

    def wait_until(self, statement: str, *, seconds: float = 20) -> None:
        """Until the query's first value is true."""
        deadline = time.monotonic() + seconds
        while not self.sql(statement)[0][0]:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"did not come true in {seconds} s: {statement}\n{self.logs()}"
                )
            time.sleep(0.1)

    def wait_for_messages(self, *, seconds: float = 20) -> None:
        undone = (
            "SELECT count(*) = 0 FROM portal_outboxmessage WHERE state IN ('queued', 'sending')"
        )
        self.wait_until(undone, seconds=seconds)

    def refute_server_errors(self, pages: list[Page]) -> None:
        broken = [(page.path, page.status) for page in pages if page.status >= 500]
        assert not broken, f"{broken}\n{self.logs()}"

    def broken_invariants(self) -> list[str]:
        """What of abuse-cases.md section 2.2 does not hold, in words; empty when all is well."""
        broken = [words for words, query in INVARIANTS.items() if self.sql(query)]
        once: dict[str, int] = {}
        for event, facts in self.sql("SELECT event, facts FROM portal_auditevent"):
            known = facts if isinstance(facts, dict) else json.loads(facts)
            subject = known.get("share") or known.get("login")
            if subject and "refused" not in known and event in ONCE:
                once[f"{event} {subject}"] = once.get(f"{event} {subject}", 0) + 1
        broken += [f"{what} happened {n} times" for what, n in once.items() if n > 1]
        audit = self.manage("verify_audit")
        if audit.returncode:
            broken.append(f"verify_audit: {audit.stderr.strip()}")
        return broken


# Temporary devices that are not the cast's.
MADE_MEANWHILE = """FROM sls_securitydevice WHERE kind IN ('online_card', 'sms')
    OR (kind = 'temporary_code' AND serial <> 'TMP-50010009')
    OR (kind = 'ib_key' AND serial <> 'IBK-70010003')"""
# The cast's phone as at the start, and no other.
PHONES_ANEW = [
    "DELETE FROM sls_promptreport",
    "DELETE FROM sls_loginprompt",
    "DELETE FROM sls_phoneactivation",
    "DELETE FROM sls_phonenonce",
    """DELETE FROM sls_phoneuser WHERE grant_id IN (SELECT g.id FROM sls_devicegrant g
        JOIN sls_securitydevice d ON d.id = g.device_id WHERE d.serial <> 'IBK-70010003')""",
    "DELETE FROM sls_phone WHERE id NOT IN (SELECT phone_id FROM sls_phoneuser)",
    "UPDATE sls_phone SET state = 'active', frozen_at = NULL, ended_at = NULL",
    "UPDATE sls_phoneuser SET is_active = true, retired_at = NULL",
    "UPDATE sls_securitydevice SET state = 'active' WHERE serial = 'IBK-70010003'",
]
ONCE = (
    *("sls.login.completed", "sls.prompt.approved", "sls.share.proven", "sls.share.approved"),
    "compliance.case.decided",
)
LIVE = "('pending', 'active', 'dormant')"
INVARIANTS = {
    "a share in force without an answered question of its own": """
        SELECT s.id FROM sls_sharerequest s JOIN sls_challenge c ON c.id = s.challenge_id
        WHERE s.state IN ('enforced', 'pending')
          AND (c.state <> 'answered' OR c.purpose <> 'share' OR c.user_id <> s.requester_id)""",
    "a share in force without exactly one grant": """
        SELECT s.id FROM sls_sharerequest s LEFT JOIN sls_devicegrant g ON g.share_id = s.id
        WHERE s.state IN ('enforced', 'pending') GROUP BY s.id HAVING count(g.id) <> 1""",
    "a live borrowed grant without its share": f"""
        SELECT g.id FROM sls_devicegrant g JOIN sls_sharerequest s ON s.id = g.share_id
        WHERE g.state IN {LIVE} AND s.state NOT IN ('enforced', 'pending')""",
    "somebody lends and borrows": f"""
        SELECT own.user_id FROM sls_devicegrant own
        JOIN sls_devicegrant lent ON lent.device_id = own.device_id AND lent.share_id IS NOT NULL
        JOIN sls_devicegrant mine ON mine.user_id = own.user_id AND mine.share_id IS NOT NULL
        WHERE own.share_id IS NULL AND own.state IN {LIVE} AND lent.state IN {LIVE}
          AND mine.state IN {LIVE}""",
    "a user with a device history and no usable device": """
        SELECT u.id FROM portal_user u
        WHERE EXISTS (SELECT 1 FROM sls_devicegrant g
                      WHERE g.user_id = u.id AND g.state <> 'pending')
          AND NOT EXISTS (SELECT 1 FROM sls_devicegrant g JOIN sls_securitydevice d
                          ON d.id = g.device_id
                          WHERE g.user_id = u.id AND g.state = 'active' AND d.state = 'active')""",
    "an answered question without a time": """
        SELECT id FROM sls_challenge WHERE state = 'answered' AND answered_at IS NULL""",
    "a completed login without an answered question": """
        SELECT a.id FROM sls_loginattempt a JOIN sls_challenge c ON c.id = a.challenge_id
        WHERE a.state = 'completed' AND c.state <> 'answered' AND NOT EXISTS (
            SELECT 1 FROM sls_loginprompt p WHERE p.attempt_id = a.id AND p.state = 'approved')""",
    "a username on two phones": """
        SELECT user_id FROM sls_phoneuser WHERE is_active GROUP BY user_id HAVING count(*) > 1""",
    "a username active on a phone that is retired": """
        SELECT u.id FROM sls_phoneuser u JOIN sls_phone p ON p.id = u.phone_id
        WHERE u.is_active AND p.state = 'retired'""",
    "a login that a phone denied and that was completed": """
        SELECT a.id FROM sls_loginattempt a JOIN sls_loginprompt p ON p.attempt_id = a.id
        WHERE a.state = 'completed' AND p.state = 'denied'""",
    "an audit row missing": """
        SELECT count(*) FROM portal_auditevent HAVING count(*) <> max(number)""",
    "two messages about one fact": """
        SELECT idempotency_key FROM portal_outboxmessage GROUP BY idempotency_key
        HAVING count(*) > 1""",
}


def _children_of(pid: int) -> list[int]:
    children = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = status.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(after_name[1]) == pid:
            children.append(int(status.parent.name))
    return sorted(children)


def _command_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def _link(handle: Path) -> str:
    try:
        return os.readlink(handle)
    except OSError:
        return ""


def processes_with(var: Path) -> list[int]:
    """Every living process that was started with this VAR_DIR."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"VAR_DIR={var}\0".encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def send_raw(port: int, raw: bytes, *, seconds: float = 10) -> bytes:
    """What the server answers to these very bytes until it closes, resets or falls silent."""
    answer = b""
    with (
        closing(socket.create_connection(("127.0.0.1", port), timeout=seconds)) as connection,
        suppress(ConnectionError),
    ):
        connection.sendall(raw)
        deadline = time.monotonic() + seconds
        # The first byte may take as long as it likes; after it a second of silence is the end.
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([connection], [], [], min(left, 1) if answer else left)[0]:
                break
            if not (part := connection.recv(65536)):
                break
            answer += part
    return answer
