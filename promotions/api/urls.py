"""The addresses of earning, and of what was posted."""

from django.urls import URLPattern, path, re_path

from loyalty.api.paths import MEMBER
from promotions.api.batch import BatchViewSet
from promotions.api.earning import EarningViewSet
from promotions.api.history import HistoryViewSet
from promotions.api.returns import ReturnViewSet

urlpatterns: list[URLPattern] = [
    path("transactions/", HistoryViewSet.as_view({"get": "find"})),
    path("transactions/earn/", EarningViewSet.as_view({"post": "earn"})),
    path("transactions/evaluate/", EarningViewSet.as_view({"post": "evaluate"})),
    path("transactions/reverse-earn/", ReturnViewSet.as_view({"post": "reverse"})),
    path("transactions/batch/", BatchViewSet.as_view({"post": "run"})),
    path("transactions/<uuid:id>/", HistoryViewSet.as_view({"get": "retrieve"})),
    re_path(MEMBER + r"/transactions/$", HistoryViewSet.as_view({"get": "history"})),
]
