"""What `portal.throttle` has counted."""

from typing import ClassVar

from django.db import models


class Allowance(models.Model):
    """How much of one limit one key (a username, an address …) has spent since its last clearing."""

    limit = models.CharField(max_length=40)
    key = models.CharField(max_length=80)
    spent = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    slides = models.BooleanField(default=True)
    last_at = models.DateTimeField()
    resets_at = models.DateTimeField()
    # Before this the next try is not judged; and whether the last one was.
    opens_at = models.DateTimeField(null=True)
    refused = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["limit", "key"], name="one_allowance_per_key"),
        ]

    def __str__(self) -> str:
        return f"{self.limit} {self.key}: {self.spent}"
