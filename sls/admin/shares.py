"""What staff see of shares."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from portal.models import User
from portal.read_only import PersonalData
from sls.models import ShareRequest
from sls.review import ReviewReason
from sls.sharing.rules import ShareRefusal


@admin.register(ShareRequest)
class ShareRequestAdmin(PersonalData):
    list_display = ("created_at", "state", "requester", "owner", "device", "why", "ended_at")
    list_filter = ("state",)
    linked_by = ("submitted_at", "reviewers")
    list_select_related = ("requester", "owner", "device")
    search_fields = ("=requester__username", "=owner__username")
    search_help_text = _("A whole username")
    fields = (
        "state",
        ("requester", "owner"),
        "device",
        "why",
        "created_at",
        "expires_at",
        "proven_at",
        "submitted_at",
        "approved_at",
        "enforced_at",
        "ended_at",
    )
    ordering = ("-created_at", "pk")
    show_full_result_count = False

    def subject_of(self, row: ShareRequest) -> User:
        return row.requester

    @admin.display(description=_("reasons"))
    def why(self, share: ShareRequest) -> str:
        """The words of its reasons; what an older version of the rules wrote stays a bare code."""
        words = {reason.code: str(reason.title) for reason in ShareRefusal}
        words |= {code: str(label) for code, label in ReviewReason.choices}
        return ", ".join(words.get(code, code) for code in share.reasons)
