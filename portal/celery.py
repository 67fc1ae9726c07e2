"""The Celery application. Why each option has its value: docs/adr/0004-celery.md."""

import os

from celery import Celery

from portal import workers  # noqa: F401  # listens to what Celery tells

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["portal.audit", "portal.outbox", "sls", "compliance"])
