"""The portal runs on what `requirements.lock` installs: nothing of the tests' tools holds it up unnoticed."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)

# Web, worker and beat as far as they go without a database or a broker.
START = """
import importlib, json, pkgutil, sys

MISSING = set(json.loads(sys.argv[1]))

class Absent:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent)

import compliance, portal, portal.asgi, sls
from portal.celery import app

for package in (portal, sls, compliance):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
for name in ("celery.apps.worker", "celery.apps.beat", "celery.concurrency.prefork", "celery.concurrency.thread"):
    importlib.import_module(name)
app.connection_for_read().transport
app.loader.import_default_modules()

import uvicorn
uvicorn.Config("portal.asgi:application", lifespan="off", log_config=None).load()
"""


def locked() -> set[str]:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))


def modules_of_other_packages() -> list[str]:
    names = {
        module: {re.sub(r"[-_.]+", "-", name).lower() for name in names}
        for module, names in packages_distributions().items()
    }
    return sorted(module for module, of in names.items() if not of & locked())


def test_web_worker_and_beat_start_with_the_locked_packages_alone(tmp_path):
    absent = modules_of_other_packages()
    assert "pytest" in absent
    assert "django" not in absent
    environment = os.environ | {"DEMO_MODE": "1", "VAR_DIR": str(tmp_path)}
    environment |= {"DJANGO_SETTINGS_MODULE": "portal.settings"}
    done = subprocess.run(
        [sys.executable, "-c", START, json.dumps(absent)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
