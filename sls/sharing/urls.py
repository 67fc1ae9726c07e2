from django.urls import path

from . import views

app_name = "sharing"
urlpatterns = [
    path("", views.owner, name="owner"),
    path("undo/<str:token>/", views.undo, name="undo"),
    path("<uuid:share_id>/respond/", views.respond, name="respond"),
    path("<uuid:share_id>/review/", views.review, name="review"),
    path("<uuid:share_id>/status/", views.status, name="status"),
    path("<uuid:share_id>/withdraw/", views.withdraw, name="withdraw"),
    path("<uuid:share_id>/cancel/", views.cancel, name="cancel"),
]
