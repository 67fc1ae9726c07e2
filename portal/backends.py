"""Loading the logged-in user: with his Entity, whose name every page shows, in one query."""

from typing import Any

from django.contrib.auth.backends import ModelBackend

from portal.models import User


class EntityBackend(ModelBackend):
    """
    Loads users for open sessions and answers permissions. It never authenticates: a password alone is
    not a login here, and the one way in is `sls.login.operations`.
    """

    def authenticate(self, *args: Any, **kwargs: Any) -> None:
        return None

    def get_user(self, user_id: int) -> User | None:
        unlocked = User.objects.select_related("entity").filter(locked_at__isnull=True)
        user = unlocked.filter(pk=user_id).first()
        return user if user and self.user_can_authenticate(user) else None
