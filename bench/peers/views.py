"""The signed-in page, which is the project's and not the package's: the product's own, as the floor shows it."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


@login_required
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "home.html")


def ready(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")
