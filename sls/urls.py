"""The Secure Login System's pages under /settings/user/secure-login/."""

from django.urls import include, path

urlpatterns = [
    path("", include("sls.enrolment.urls")),
    path("", include("sls.online_card.urls")),
    path("share/", include("sls.sharing.urls")),
]
