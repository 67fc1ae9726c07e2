"""What staff see of the portal's own rows."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from portal.models import AuditEvent, Entity, OutboxMessage, User


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows that only the domain writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnly):
    list_display = ("number", "at", "event", "actor", "subject", "address")
    list_filter = ("event",)
    search_fields = ("actor", "subject")
    show_full_result_count = False


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnly):
    list_display = (
        *("created_at", "event", "user", "channel", "target"),
        *("state", "attempts", "sent_at"),
    )
    list_filter = ("state", "channel", "event")
    list_select_related = ("user",)
    exclude = ("context", "recipient")
    show_full_result_count = False


@admin.register(Entity)
class EntityAdmin(ReadOnly):
    list_display = ("name", "kind", "citizenship", "country_of_residence")
    search_fields = ("name",)
    exclude = ("document_number_sealed", "document_number_index", "ssn_sealed", "ssn_index")


@admin.register(User)
class UserAdmin(ReadOnly):
    list_display = ("username", "entity", "is_active", "is_staff")
    list_filter = ("is_active", "is_staff")
    list_select_related = ("entity",)
    search_fields = ("username",)
    exclude = ("password",)
