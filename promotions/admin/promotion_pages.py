"""What is done with a promotion beside writing it: tried, put live, judged, compared."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from loyalty.errors import LoyaltyError, ValidationFailed
from promotions.admin.comparison import differences
from promotions.admin.promotion_form import PromotionForm
from promotions.admin.try_form import TryForm
from promotions.engine.types import Condition
from promotions.models import Promotion
from promotions.services.writing import approvals, rule_tests
from promotions.services.writing.authoring import Written, change_status
from promotions.services.writing.trying import try_draft
from promotions.services.writing.waiting import waiting_of

Judge = Callable[..., Written]


class ReasonForm(forms.Form):
    """Why something is done."""

    reason = forms.CharField(
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Stands in the promotion's history.",
    )


class PromotionPages:
    """The pages of one promotion; a part of its admin."""

    def _promotion(self, object_id: Any) -> Promotion:
        found = Promotion.objects.filter(pk=object_id).first()
        if found is None:
            raise Http404
        return found

    def _status(self, request: HttpRequest, object_id: Any) -> str | None:
        """Return a promotion's status, for those who may change it."""
        page: Any = self
        if object_id is None or not page.has_change_permission(request):
            return None
        return Promotion.objects.filter(pk=object_id).values_list("status", flat=True).first()

    def has_go_live_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        status = self._status(request, object_id)
        if status is None or status == Promotion.Status.LIVE:
            return False
        return waiting_of(self._promotion(object_id)) is None

    def has_pause_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._status(request, object_id) == Promotion.Status.LIVE

    def has_end_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self._status(request, object_id) not in (None, Promotion.Status.ENDED)

    def has_judge_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        if self._status(request, object_id) is None:
            return False
        waiting = waiting_of(self._promotion(object_id))
        return waiting is not None and waiting.asked_by != request.user.get_username()

    def has_compare_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        page: Any = self
        return bool(page.has_view_permission(request))

    @action(description="Put live", permissions=["go_live"], url_path="live")
    def live_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Put a promotion live; with four eyes, ask for it."""
        text = "From now on, sales earn by it. Its rule tests run first."
        return self._change(request, object_id, Promotion.Status.LIVE, "Put live", text)

    @action(description="Pause", permissions=["pause"], url_path="pause")
    def pause_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Pause a promotion."""
        text = "From now on, sales do not earn by it, until it goes live again."
        return self._change(request, object_id, Promotion.Status.PAUSED, "Pause", text)

    @action(description="End", permissions=["end"], url_path="end")
    def end_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End a promotion."""
        text = "From now on, sales do not earn by it. What it gave stays."
        return self._change(request, object_id, Promotion.Status.ENDED, "End", text)

    @action(description="Approve", permissions=["judge"], url_path="approve")
    def approve_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Approve what somebody else asked for."""
        return self._judge(request, object_id, approvals.approve, "Approve")

    @action(description="Reject", permissions=["judge"], url_path="reject")
    def reject_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Reject what somebody else asked for."""
        return self._judge(request, object_id, approvals.reject, "Reject")

    @action(description="Compare versions", permissions=["compare"], url_path="compare")
    def compare_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what is different between two versions, or in what waits."""
        promotion = self._promotion(object_id)
        kept = {str(each.number): each for each in promotion.versions.order_by("-number")}
        sides: dict[str, Any] = {f"{key}": each.definition for key, each in kept.items()}
        waiting = waiting_of(promotion)
        if waiting is not None:
            sides = {"waiting": waiting.definition, **sides}
        names = list(sides)
        default = {"new": names[0], "old": names[min(1, len(names) - 1)]}
        form = _compare_form(names)({**default, **request.GET.dict()})
        rows = []
        if form.is_valid():
            pair = form.cleaned_data
            rows = differences(sides[pair["old"]], sides[pair["new"]])
        context = {"title": f"{promotion.code}: versions", "form": form, "rows": rows}
        return self._show(request, "promotions/compare.html", promotion, context)

    def try_page(self, request: HttpRequest) -> HttpResponse:
        """Evaluate a basket under the form as it stands; answers a part of a page."""
        form = self._draft(request)
        basket = TryForm(request.POST)
        shown: dict[str, Any] = {"form": form, "basket": basket}
        if basket.is_valid() and form.is_valid() and form.definition is not None:
            try:
                tried = try_draft(
                    form.cleaned_data["code"],
                    form.definition,
                    basket.basket(),
                    member=basket.member_reference(),
                    partner_code=basket.partner_code(),
                    at=timezone.now(),
                )
                shown |= {"tried": tried, "conditions": [_readable(c) for c in tried.conditions]}
            except ValidationFailed as refusal:
                shown["refusal"] = refusal.errors[0].message
            except LoyaltyError as refusal:
                shown["refusal"] = refusal.detail
        return render(request, "promotions/tried.html", shown)

    def tests_page(self, request: HttpRequest) -> HttpResponse:
        """Run the rule tests of the form as it stands; answers a part of a page."""
        form = self._draft(request)
        shown: dict[str, Any] = {"form": form}
        if form.is_valid() and form.definition is not None:
            try:
                shown["results"] = rule_tests.results(form.definition)
            except ValidationFailed as refusal:
                first = refusal.errors[0]
                shown["refusal"] = f"{first.pointer}: {first.message}"
        return render(request, "promotions/tested.html", shown)

    def _draft(self, request: HttpRequest) -> PromotionForm:
        """Return the promotion's form as it was sent; it is read as a draft and never saved.

        :raises Http404: if the caller may not write promotions, or sends nothing.
        """
        page: Any = self
        may = page.has_change_permission(request) or page.has_add_permission(request)
        if request.method != "POST" or not may:
            raise Http404
        key = request.GET.get("id", "")
        promotion = self._promotion(key) if key.isascii() and key.isdigit() else Promotion()
        promotion.status = Promotion.Status.DRAFT
        return PromotionForm(request.POST, instance=promotion)

    def _change(
        self, request: HttpRequest, object_id: str, status: str, verb: str, text: str
    ) -> HttpResponse:
        def change(promotion: Promotion, **given: Any) -> Written:
            return change_status(promotion.code, status, **given)

        return self._confirm(request, object_id, change, verb, {"text": text})

    def _judge(self, request: HttpRequest, object_id: str, judge: Judge, verb: str) -> HttpResponse:
        promotion = self._promotion(object_id)
        waiting, last = waiting_of(promotion), promotion.versions.order_by("-number").first()
        context: dict[str, Any] = {"text": "Nothing waits any more."}
        if waiting is not None and last is not None:
            context["text"] = f"{waiting.asked_by} asks for it. {waiting.asked_reason}".strip()
            first = waiting.version_id is not None
            context["rows"] = differences({} if first else last.definition, waiting.definition)

        def decide(promotion: Promotion, **given: Any) -> Written:
            return judge(promotion.code, **given)

        return self._confirm(request, object_id, decide, verb, context)

    def _confirm(
        self,
        request: HttpRequest,
        object_id: str,
        work: Callable[..., Written],
        verb: str,
        context: dict[str, Any],
    ) -> HttpResponse:
        """Ask for a reason, then do it in one unit; a refusal is shown and changes nothing."""
        page: Any = self
        promotion, form = self._promotion(object_id), ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            by, reason = request.user.get_username(), form.cleaned_data["reason"]
            try:
                with transaction.atomic():
                    written = work(promotion, at=timezone.now(), by=by, reason=reason)
            except ValidationFailed as refusal:
                page.message_user(request, refusal.errors[0].message, messages.ERROR)
            except LoyaltyError as refusal:
                page.message_user(request, refusal.detail, messages.ERROR)
            else:
                page._tell(request, written)
                return redirect(_url(promotion))
        shown = {"title": f"{verb}: {promotion.code} {promotion.name}", "form": form, "verb": verb}
        return self._show(request, "promotions/confirm.html", promotion, {**shown, **context})

    def _show(
        self, request: HttpRequest, template: str, promotion: Promotion, context: dict[str, Any]
    ) -> HttpResponse:
        page: Any = self
        whole = {**page.admin_site.each_context(request), "back": _url(promotion), **context}
        return render(request, template, {**whole, "promotion": promotion})


def _url(promotion: Promotion) -> str:
    return reverse("admin:promotions_promotion_change", args=[promotion.pk])


def _readable(condition: Condition) -> dict[str, Any]:
    """Return a condition of an explanation as people read it."""
    return {
        "name": condition.name.replace("_", " "),
        "wanted": _words(condition.wanted),
        "seen": _words(condition.seen),
        "met": condition.met,
    }


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_words(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(_words(part) for part in value if part is not None) or "none"
    return "" if value is None else str(value)


def _compare_form(names: list[str]) -> type[forms.Form]:
    choices = [(name, f"Version {name}" if name.isdigit() else "What waits") for name in names]

    class CompareForm(forms.Form):
        """Which two versions."""

        old = forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget())
        new = forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget())

    return CompareForm
