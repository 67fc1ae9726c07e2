"""Home, the settings' landing pages, and health."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.csrf import csrf_failure
from django.views.decorators.http import require_GET, require_POST
from django.views.i18n import set_language

from portal.caller import SignedInRequest
from portal.health import is_ready
from portal.models import User


def row(label: str, summary: str, url: str = "", action_label: str = "") -> dict[str, str]:
    return {"label": label, "summary": summary, "url": url, "action_label": action_label}


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Switch the language of the pages, and of the messages to a logged-in user."""
    response = set_language(request)
    wanted = request.POST.get("language")
    if request.user.is_authenticated and wanted in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=wanted)
    return response


@require_GET
@login_required
def home(request: SignedInRequest) -> HttpResponse:
    return render(request, "portal/home.html")


@require_GET
@login_required
def account_settings(request: SignedInRequest) -> HttpResponse:
    entity = request.user.entity
    profile = [
        row(_("Name"), entity.name),
        row(_("Account type"), entity.get_kind_display()),
    ]
    users = entity.users.order_by("username").values_list("username", flat=True)
    boxes = [
        {"title": _("Profile"), "rows": profile},
        {
            "title": _("Users & Access Rights"),
            "rows": [row(name, _("Username of this account")) for name in users],
        },
    ]
    return render(request, "portal/settings_account.html", {"boxes": boxes})


@require_GET
@login_required
def user_settings(request: SignedInRequest) -> HttpResponse:
    user = request.user
    device = (
        str(user.otp_device.device) if user.is_verified() else _("No device proven in this session")
    )
    boxes = [
        {
            "title": _("Login"),
            "rows": [
                row(_("Username"), user.username),
                row(
                    _("Password"),
                    "••••••••",
                    reverse("settings:password"),
                    _("Change password"),
                ),
            ],
        },
        {
            "title": _("Security"),
            "rows": [
                row(
                    _("Secure Login System"),
                    device,
                    reverse("settings:secure_login"),
                    _("Configure Secure Login System"),
                ),
                row(
                    _("Open sessions"),
                    _("Where you are logged in"),
                    reverse("settings:sessions"),
                    _("Show open sessions"),
                ),
                row(
                    _("Security history"),
                    _("What happened on your username"),
                    reverse("settings:history"),
                    _("Show security history"),
                ),
            ],
        },
        {
            "title": _("Communication"),
            "rows": [
                row(_("Email Address"), masked_email(user.email)),
                row(
                    _("Mobile Number"),
                    _("For SMS codes and for activating a phone"),
                    reverse("settings:mobile"),
                    _("Configure mobile numbers"),
                ),
            ],
        },
        {"title": _("Language"), "rows": [row(_("Language"), user.get_language_display())]},
    ]
    return render(request, "portal/settings_user.html", {"boxes": boxes})


def masked_email(address: str) -> str:
    name, _at, domain = address.partition("@")
    return f"{name[:1]}•••@{domain}"


def out_of_date(request: HttpRequest, reason: str = "") -> HttpResponse:
    """
    A form whose token is not this browser's. A login sent twice is no error for whoever is in by the
    first: logging in gives a new token.
    """
    if request.user.is_authenticated and request.path.startswith(reverse("login")):
        return redirect("home")
    return csrf_failure(request, reason)


@require_GET
def live(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@require_GET
def ready(request: HttpRequest) -> JsonResponse:
    """Only yes or no: anonymous callers learn nothing else."""
    if not is_ready():
        return JsonResponse({"status": "unavailable"}, status=503)
    return JsonResponse({"status": "ok"})
