"""The SLS enrolment menu's answer."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from sls.access import proven_or_new

from .forms import Choice, EnrolmentForm

PAGES = {Choice.SHARE: "sharing:owner", Choice.PHONE: "enrol_phone", Choice.CARD: "enrol_card"}


@require_http_methods(["GET", "POST"])
@proven_or_new
def choose(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":  # a reload; the menu stands where the devices will
        return redirect("settings:secure_login")
    form = EnrolmentForm(request.POST)
    if form.is_valid():
        return redirect(PAGES[Choice(form.cleaned_data["choice"])])
    return render(request, "sls/enrolment/menu.html", {"form": form})


@proven_or_new
def phone(request: HttpRequest) -> HttpResponse:
    address = request.build_absolute_uri(reverse("phone_app:shell"))
    return render(request, "sls/enrolment/phone.html", {"address": address})
