from django.urls import path

from sls.catalog import Element

from . import views

urlpatterns = [
    path("login/", views.login, name="login"),
    path("login/confirm/", views.confirm, name="login_confirm"),
    path("login/choose/", views.choose, name="login_choose"),
    path("login/push/", views.push, name="login_push"),
    path(
        "login/challenge/",
        views.respond,
        {"element": Element.CHALLENGE_CODE},
        name="login_challenge",
    ),
    path("login/card/", views.respond, {"element": Element.INDEX_NUMBERS}, name="login_card"),
    path("login/code/", views.respond, {"element": Element.CODE}, name="login_code"),
    path("login/code/again/", views.send_again, name="login_code_again"),
    path("logout/", views.logout, name="logout"),
]
