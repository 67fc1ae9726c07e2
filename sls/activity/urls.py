from django.urls import path

from . import views

urlpatterns = [
    path("sessions/", views.sessions, name="sessions"),
    path("sessions/end-others/", views.end_other_sessions, name="end_other_sessions"),
    path("sessions/<slug:handle>/end/", views.end_session, name="end_session"),
    path("history/", views.history, name="history"),
    path("not-me/<str:token>/", views.not_me, name="not_me"),
]
