"""The settings of the tests: the product's own, with a cheap hasher and plain static files."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("VAR_DIR", tempfile.mkdtemp(prefix="portal-tests-"))
os.environ.setdefault("DEMO_MODE", "1")
os.environ.setdefault("CHEAP_HASHER", "1")

from portal.settings import *  # noqa: F403
from portal.settings import DATABASES, STORAGES, VAR_DIR

STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
STATIC_ROOT = Path(VAR_DIR) / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
CELERY_TASK_ALWAYS_EAGER = False
READY_WITHOUT_BROKER = True
DATABASES["default"]["TEST"] = {"NAME": None}
