"""The addresses of earning, and of what was posted."""

from django.urls import URLPattern, path, re_path

from loyalty.api.paths import BY_ALIAS, MEMBER
from promotions.api.batch import BatchViewSet
from promotions.api.earning import EarningViewSet
from promotions.api.history import HistoryViewSet
from promotions.api.member_info import MemberInfoViewSet
from promotions.api.returns import ReturnViewSet

urlpatterns: list[URLPattern] = [
    path("members/find/", MemberInfoViewSet.as_view({"post": "find"})),
    re_path(BY_ALIAS, MemberInfoViewSet.as_view({"get": "by_alias"})),
    re_path(MEMBER + r"/$", MemberInfoViewSet.as_view({"get": "retrieve"})),
    path("transactions/", HistoryViewSet.as_view({"get": "find"})),
    path("transactions/earn/", EarningViewSet.as_view({"post": "earn"})),
    path("transactions/evaluate/", EarningViewSet.as_view({"post": "evaluate"})),
    path("transactions/reverse-earn/", ReturnViewSet.as_view({"post": "reverse"})),
    path("transactions/batch/", BatchViewSet.as_view({"post": "run"})),
    path("transactions/<uuid:id>/", HistoryViewSet.as_view({"get": "retrieve"})),
    re_path(MEMBER + r"/transactions/$", HistoryViewSet.as_view({"get": "history"})),
]
