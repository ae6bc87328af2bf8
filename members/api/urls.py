"""The addresses of members."""

from django.urls import URLPattern, path, re_path

from loyalty.api.paths import CODE, MEMBER, PROVIDER
from members.api.cards import CardViewSet
from members.api.history import AccountHistoryViewSet
from members.api.pins import PinViewSet, ThresholdViewSet
from members.api.profile import CurrencyViewSet, IdentityViewSet
from members.api.program import TierLadderViewSet
from members.api.segment_files import SegmentFileViewSet
from members.api.segments import SegmentViewSet
from members.api.sign_in import CurrentSessionViewSet, OwnPasswordViewSet, SessionViewSet
from members.api.verifications import PasswordViewSet, VerificationViewSet

urlpatterns: list[URLPattern] = [
    path("program/tiers/", TierLadderViewSet.as_view({"get": "tiers"})),
    re_path(MEMBER + r"/cards/$", CardViewSet.as_view({"post": "issue"})),
    path("cards/replace/", CardViewSet.as_view({"post": "replace"})),
    path("cards/block/", CardViewSet.as_view({"post": "report"})),
    re_path(
        MEMBER + rf"/aliases/{PROVIDER}/$",
        IdentityViewSet.as_view({"put": "bind", "delete": "remove"}),
    ),
    re_path(
        MEMBER + r"/currencies/$", CurrencyViewSet.as_view({"post": "add", "delete": "remove"})
    ),
    re_path(MEMBER + r"/history/$", AccountHistoryViewSet.as_view({"get": "history"})),
    re_path(MEMBER + r"/pin/$", PinViewSet.as_view({"put": "put"})),
    re_path(MEMBER + r"/pin/verify/$", PinViewSet.as_view({"post": "verify"})),
    re_path(MEMBER + r"/redemption-threshold/$", ThresholdViewSet.as_view({"put": "put"})),
    path("segments/", SegmentViewSet.as_view({"get": "page"})),
    re_path(rf"^segments/{CODE}/$", SegmentViewSet.as_view({"get": "retrieve", "put": "put"})),
    re_path(rf"^segments/{CODE}/members/$", SegmentViewSet.as_view({"post": "members"})),
    re_path(rf"^segments/{CODE}/file/$", SegmentFileViewSet.as_view({"post": "load"})),
    re_path(rf"^segments/{CODE}/refresh/$", SegmentViewSet.as_view({"post": "refresh"})),
    path("passwords/forgot/", PasswordViewSet.as_view({"post": "forgot"})),
    path("passwords/reset/", PasswordViewSet.as_view({"post": "reset"})),
    path("verifications/", VerificationViewSet.as_view({"post": "ask"})),
    path("verifications/confirm/", VerificationViewSet.as_view({"post": "confirm"})),
    path("sessions/", SessionViewSet.as_view({"post": "open"})),
    path("sessions/refresh/", SessionViewSet.as_view({"post": "refresh"})),
    path("sessions/current/", CurrentSessionViewSet.as_view({"delete": "end"})),
    path("sessions/current/password/", OwnPasswordViewSet.as_view({"post": "change_password"})),
]
