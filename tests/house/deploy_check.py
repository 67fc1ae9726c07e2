"""
Production mode as a deployer meets it: `python -m tests.house.deploy_check`.

With a good environment `check --deploy` has nothing to say; with any variable missing or weak, or with
DEBUG on, nothing starts.
"""

import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
GOOD = {
    "DATABASE_URL": "postgres://portal:secret@db.example/portal",
    "REDIS_URL": "redis://redis.example:6379/0",
    "SECRET_KEY": secrets.token_urlsafe(64),
    "VAULT_KEYS": f"k1:{secrets.token_hex(32)}",
    "ALLOWED_HOSTS": "portal.example",
}
BAD = {
    "DEBUG is on": {"DEBUG": "1"},
    "SECRET_KEY is short": {"SECRET_KEY": "short"},
    "SECRET_KEY is one letter": {"SECRET_KEY": "a" * 80},
    "SECRET_KEY is Django's example": {"SECRET_KEY": "django-insecure-" + secrets.token_hex(40)},
    "VAULT_KEYS is no key": {"VAULT_KEYS": "secret"},
    "VAULT_KEYS is zeros": {"VAULT_KEYS": "k1:" + "0" * 64},
    "VAULT_KEYS has one id twice": {
        "VAULT_KEYS": f"k1:{secrets.token_hex(32)},k1:{secrets.token_hex(32)}"
    },
    "ALLOWED_HOSTS is a wildcard": {"ALLOWED_HOSTS": "*"},
    "ALLOWED_HOSTS has a wildcard": {"ALLOWED_HOSTS": "portal.example, *"},
    "DATABASE_URL is no address": {"DATABASE_URL": "portal"},
    "VAPID_PRIVATE_KEY is no key": {"VAPID_PRIVATE_KEY": "secret"},
    "METRICS_TOKEN is short": {"METRICS_TOKEN": "short"},
    "SMS_URL is no gateway": {"SMS_URL": "https://sms.example"},
    **{f"{name} is missing": {name: ""} for name in GOOD},
}
CHECK = ["manage.py", "check", "--deploy", "--fail-level", "WARNING"]
START = [
    "-c",
    "import portal.wsgi",
]  # what every server process does first; no system check helps it


def run(command: list[str], folder: str, **changed: str) -> subprocess.CompletedProcess[str]:
    kept = {
        k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
    }
    given = {name: value for name, value in (GOOD | changed).items() if value}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=kept | {"VAR_DIR": folder} | given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def main() -> int:
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for command in (CHECK, START):
            good = run(command, folder)
            if good.returncode:
                wrong.append(f"a good production environment does not pass:\n{good.stderr}")
        for what, changed in BAD.items():
            done = run(START, folder, **changed)
            if done.returncode == 0:
                wrong.append(f"production mode starts although {what}")
            elif "ImproperlyConfigured" not in done.stderr:
                wrong.append(
                    f"production mode crashes without a reason when {what}:\n{done.stderr}"
                )
    for line in wrong:
        print(line)  # noqa: T201
    print(f"deploy check: {1 + len(BAD)} environments, {len(wrong)} wrong")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
