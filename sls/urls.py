"""The Secure Login System's pages under /settings/user/secure-login/."""

from django.urls import include, path

from sls.phone import views as phone_views

urlpatterns = [
    path("", include("sls.enrolment.urls")),
    path("", include("sls.online_card.urls")),
    path("settings/", phone_views.own, name="phone_own"),
    path("share/", include("sls.sharing.urls")),
]
