"""Loading the logged-in user, with his Entity, whose name every page shows, and what he may: a query each."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from django.db.models import BigIntegerField, Q, QuerySet

from portal.caller import Caller
from portal.compiled import compiled
from portal.models import User


@compiled(user=BigIntegerField())
def _permissions(user: Any) -> QuerySet[Any, Any]:
    own = User.user_permissions.through.objects.filter(user=user).values("permission")
    group = Permission.group_set.through.objects.filter(group__user=user).values("permission")
    may = Permission.objects.filter(Q(pk__in=own) | Q(pk__in=group))
    return may.order_by().values_list("content_type__app_label", "codename")


class EntityBackend(ModelBackend):
    """
    Loads users for open sessions and answers permissions. It never authenticates: a password alone is
    not a login here, and the one way in is `sls.login.operations`.
    """

    def authenticate(self, *args: Any, **kwargs: Any) -> None:
        return None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """The user's own and those of his groups, in one query instead of two."""
        if not user_obj.is_active or user_obj.is_superuser or obj is not None:
            return super().get_all_permissions(user_obj, obj)
        if not hasattr(user_obj, "_perm_cache"):
            found = _permissions(user=user_obj.pk)
            user_obj._perm_cache = {f"{label}.{codename}" for label, codename in found}
        kept: set[str] = user_obj._perm_cache
        return kept

    def get_user(self, user_id: int) -> User | None:
        unlocked = User.objects.select_related("entity").filter(locked_at__isnull=True)
        user = unlocked.filter(pk=user_id).first()
        return user if user and self.user_can_authenticate(user) else None


def staff() -> QuerySet[User]:
    """Those of the staff who may act, with their entities."""
    return User.objects.select_related("entity").filter(
        is_active=True, is_staff=True, locked_at__isnull=True
    )


def staff_now(by: Caller, right: str) -> User | None:
    """
    The caller as the database knows him now, if he is staff and has this right; what the session's request
    has loaded may be out of date.
    """
    found = staff().filter(pk=by.user.pk).first() if by.user else None
    return found if found and found.has_perm(right) else None
