"""The addresses of members."""

from django.urls import URLPattern, re_path

from loyalty.api.paths import MEMBER
from members.api.history import AccountHistoryViewSet

urlpatterns: list[URLPattern] = [
    re_path(MEMBER + r"/history/$", AccountHistoryViewSet.as_view({"get": "history"})),
]
