"""A list page from one query, and a login in two steps."""

from django import forms
from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import constant_time_compare

from .models import Code, Device


class CodeForm(forms.Form):
    response = forms.CharField(max_length=8)


@login_required
def devices(request: HttpRequest) -> HttpResponse:
    context = {"devices": Device.objects.filter(user=request.user).order_by("pk")}
    return render(request, "devices.html", context)


@login_required
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "home.html")


def password(request: HttpRequest) -> HttpResponse:
    form = AuthenticationForm(request, request.POST or None)
    if form.is_valid():
        request.session["half"] = form.get_user().pk
        return redirect("/code/")
    return render(request, "login.html", {"form": form})


def code(request: HttpRequest) -> HttpResponse:
    form = CodeForm(request.POST or None)
    user = get_user_model().objects.get(pk=request.session["half"])
    if form.is_valid():
        kept = Code.objects.get(user=user).code
        if constant_time_compare(kept, form.cleaned_data["response"]):
            del request.session["half"]
            login(request, user)
            return redirect("/")
    return render(request, "code.html", {"form": form})


def ready(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")
