"""The addresses of earning, and of what was posted."""

from django.urls import URLPattern, path, re_path

from loyalty.api.paths import BY_ALIAS, CODE, MEMBER
from promotions.api.batch import BatchViewSet
from promotions.api.composite import CompositeViewSet
from promotions.api.earning import EarningViewSet
from promotions.api.enrollment import MemberViewSet
from promotions.api.erasure import ErasureViewSet
from promotions.api.events import EventViewSet
from promotions.api.history import HistoryViewSet
from promotions.api.merging import MergingViewSet
from promotions.api.offers import OfferViewSet
from promotions.api.promotions import PromotionViewSet
from promotions.api.purchase_files import PurchaseFileViewSet
from promotions.api.returns import ReturnViewSet
from promotions.api.sweepstakes import DrawViewSet, SweepstakeViewSet
from promotions.api.tiers import LadderViewSet, MemberTierViewSet

urlpatterns: list[URLPattern] = [
    path("promotions/", PromotionViewSet.as_view({"get": "page"})),
    re_path(
        rf"^promotions/{CODE}/$",
        PromotionViewSet.as_view({"get": "retrieve", "put": "put", "patch": "set_status"}),
    ),
    re_path(rf"^promotions/{CODE}/segments/$", PromotionViewSet.as_view({"post": "map_segments"})),
    path("members/", MemberViewSet.as_view({"post": "create"})),
    path("members/find/", MemberViewSet.as_view({"post": "find"})),
    path("members/merge/", MergingViewSet.as_view({"post": "merge"})),
    path("members/unmerge/", MergingViewSet.as_view({"post": "unmerge"})),
    re_path(BY_ALIAS, MemberViewSet.as_view({"get": "by_alias"})),
    re_path(MEMBER + r"/$", MemberViewSet.as_view({"get": "retrieve", "patch": "update"})),
    re_path(MEMBER + r"/erase/$", ErasureViewSet.as_view({"post": "erase"})),
    path("sweepstakes/", SweepstakeViewSet.as_view({"get": "page"})),
    re_path(rf"^sweepstakes/{CODE}/$", SweepstakeViewSet.as_view({"get": "retrieve"})),
    re_path(rf"^sweepstakes/{CODE}/tickets/$", SweepstakeViewSet.as_view({"post": "enter"})),
    re_path(rf"^sweepstakes/{CODE}/draw/$", DrawViewSet.as_view({"get": "retrieve"})),
    re_path(rf"^sweepstakes/{CODE}/draw/tickets/$", DrawViewSet.as_view({"get": "tickets"})),
    path("transactions/", CompositeViewSet.as_view({"get": "find", "post": "transact"})),
    path("transactions/void/", CompositeViewSet.as_view({"post": "void"})),
    path("transactions/earn/", EarningViewSet.as_view({"post": "earn"})),
    path("transactions/evaluate/", EarningViewSet.as_view({"post": "evaluate"})),
    path("transactions/reverse-earn/", ReturnViewSet.as_view({"post": "reverse"})),
    path("transactions/return-items/", ReturnViewSet.as_view({"post": "return_items"})),
    path(
        "transactions/reverse-redemption/",
        ReturnViewSet.as_view({"post": "reverse_redemption"}),
    ),
    path("transactions/batch/", BatchViewSet.as_view({"post": "run"})),
    path("transactions/file/", PurchaseFileViewSet.as_view({"post": "load"})),
    path("transactions/<uuid:id>/", HistoryViewSet.as_view({"get": "retrieve"})),
    path("events/", EventViewSet.as_view({"post": "reward"})),
    path("program/event-types/", EventViewSet.as_view({"get": "types"})),
    path("program/tiers/ladder/", LadderViewSet.as_view({"get": "versions", "put": "put"})),
    re_path(MEMBER + r"/offers/$", OfferViewSet.as_view({"get": "list_of"})),
    re_path(MEMBER + r"/tier/$", MemberTierViewSet.as_view({"put": "put"})),
    re_path(MEMBER + r"/transactions/$", HistoryViewSet.as_view({"get": "history"})),
]
