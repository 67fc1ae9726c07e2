from django.urls import path

from . import views

urlpatterns = [
    path("enrol/card/", views.card, name="enrol_card"),
    path("enrol/card/<uuid:card_id>/", views.show, name="enrol_card_show"),
    path("enrol/card/<uuid:card_id>/text/", views.as_text, name="enrol_card_text"),
    path("enrol/card/<uuid:card_id>/check/", views.check, name="enrol_card_check"),
    path("enrol/card/<uuid:card_id>/confirm/", views.confirm, name="enrol_card_confirm"),
    path("enrol/card/<uuid:card_id>/done/", views.done, name="enrol_card_done"),
]
