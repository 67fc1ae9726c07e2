"""One table of devices, with ready words, and one of codes."""

from django.conf import settings
from django.db import models


class Device(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    name = models.CharField(max_length=60)
    serial = models.CharField(max_length=32)
    state = models.CharField(max_length=40)
    shared_with = models.CharField(max_length=60)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return self.serial


class Code(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    code = models.CharField(max_length=8)

    def __str__(self) -> str:
        return str(self.user_id)
