"""The commands of `compose.yaml`, run as they stand: two web processes on PostgreSQL, Redis, worker, beat."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from tests import postgresql
from tests.deployment import Deployment, sample

pytestmark = pytest.mark.live
PASSWORD = "a long harbour wall 9"
FORGOT = "/settings/user/password/forgot/"


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployment]:
    try:
        deployment = Deployment(LOG_LEVEL="DEBUG")
    except postgresql.NoPostgresql as missing:
        if postgresql.in_ci():
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    yield deployment
    deployment.stop()


def probe(deployed: Deployment, kind: str, **more: str) -> int:
    command = [sys.executable, "-m", "portal.probe", kind]
    return subprocess.run(command, env=deployed.environment | more, timeout=20).returncode


def ready(deployed: Deployment, web: int) -> bool:
    return deployed.browser(web).get("/health/ready/").status == 200


def messages(deployed: Deployment) -> list[dict]:
    return [json.loads(path.read_text()) for path in (deployed.folder / "messages").glob("*.json")]


def letters(deployed: Deployment, event: str) -> list[dict]:
    return [message for message in messages(deployed) if message["event"] == event]


def test_it_starts_serves_delivers_is_watched_and_stops_gracefully(deployed: Deployment):
    for web in range(2):
        deployed.wait_until(lambda web=web: ready(deployed, web))
        assert deployed.browser(web).get("/login/").status == 200
        assert probe(deployed, "web", PORT=str(deployed.ports[web])) == 0
        style = re.search(
            r'href="(/static/css/portal[^"]+)"', deployed.browser(web).get("/login/").text
        )
        assert style
        assert deployed.browser(web).get(style[1]).status == 200

    # A message goes from a web process through the broker to a worker, at once.
    name = ("edda.admin", "edda@portal.example", "Edda Root")
    printed = deployed.manage("first_administrator", *name, ADMIN_PASSWORD=PASSWORD)
    guess = {"username": name[0], "password": "a wrong harbour wall 8"}
    assert deployed.browser(0).post("/login/", guess).status == 200
    assert deployed.browser(1).post(FORGOT, {"username": name[0]}).status == 302
    deployed.wait_until(lambda: letters(deployed, "password_forgotten"))
    (letter,) = letters(deployed, "password_forgotten")

    # Both are seen at work, and both web processes count into one.
    deployed.wait_until(lambda: probe(deployed, "worker") == 0)
    deployed.wait_until(lambda: probe(deployed, "beat") == 0)
    bearer = {"Authorization": f"Bearer {deployed.token}"}
    assert deployed.browser(0).get("/metrics").status == 401

    def counted() -> bool:
        text = deployed.browser(0).get("/metrics", **bearer).text
        return (
            sample(text, 'portal_requests_total{view="login",method="GET",status="200"}') >= 4
            and sample(text, 'portal_decisions_total{event="sls.login.begun",refused="invalid') == 1
            and sample(text, 'portal_messages_total{channel="email",state="sent"}') >= 1
            and sample(text, "portal_tasks_total{") >= 1
            and sample(text, "portal_heartbeat_age_seconds{") >= 0
        )

    deployed.wait_until(counted)
    said = deployed.manage("doctor")
    assert "Nothing fails." in said

    # Stopped on purpose: each ends by itself, in time, and without a trace in its log.
    order = ["beat", "worker", "web0", "web1"]
    for process in order:
        deployed.processes[process].send_signal(signal.SIGTERM)
    codes = {process: deployed.processes[process].wait(20) for process in order}
    assert codes["worker"] == codes["beat"] == 0, codes
    assert {codes["web0"], codes["web1"]} <= {0, -signal.SIGTERM}, codes
    assert probe(deployed, "web", PORT=str(deployed.ports[0])) == 1
    with psycopg.connect(deployed.database_url) as connection:
        marks = connection.execute("SELECT kind FROM portal_heartbeat").fetchall()
    assert marks == [("beat",)]  # the worker took its mark along

    secrets = [PASSWORD, guess["password"], deployed.token, deployed.environment["SECRET_KEY"]]
    secrets += re.findall(r"\b[0-9a-f]{40,}\b", printed)
    secrets += re.findall(r"/link/([\w:-]{40,})", letter["text"])
    secrets += [deployed.environment["VAULT_KEYS"].partition(":")[2]]
    assert len(secrets) >= 7
    for process in order:
        lines = deployed.lines(process)
        assert lines
        assert_log(lines, deployed.log(process).read_text(), secrets)


def assert_log(lines: list[dict], text: str, secrets: list[str]) -> None:
    """Every line is JSON with an id, nothing broke, and no secret is there."""
    assert all({"at", "level", "logger", "request_id", "message"} <= set(line) for line in lines)
    assert [line for line in lines if line["level"] in ("ERROR", "CRITICAL")] == []
    assert [secret for secret in secrets if secret in text] == []


def test_a_request_is_followed_from_the_web_into_the_worker(deployed: Deployment):
    """The request that asked for the letter, and the task that delivered it, say the same id."""
    asked = {
        line["request_id"]
        for line in deployed.lines("web1")
        if line["logger"] == "portal.access" and "forgot" in line["message"]
    }
    done = {
        line["request_id"]
        for line in deployed.lines("worker")
        if "portal.outbox.tasks.deliver" in line["message"]
    }
    assert asked & done
