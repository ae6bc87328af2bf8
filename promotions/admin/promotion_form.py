"""A promotion as a form: every part of its definition, or the same as JSON for experts."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleTimeWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from ledger.models import PointType
from loyalty.errors import ExpressionInvalid, LoyaltyError, ValidationFailed
from members.models import Member, Segment, Tier
from partners.models import Partner
from promotions.admin.content import content_of, initial_of
from promotions.admin.promotion_rows import BandRow, LimitRow, LinesRow, TestRow, TextRow, choice
from promotions.admin.rows import RowsField
from promotions.admin.written import codes
from promotions.engine.definition import WEEKDAYS, Definition
from promotions.models import EventType, Promotion, Sweepstake
from promotions.services.writing.authoring import digest_of, read_definition
from promotions.services.writing.rule_tests import run_tests
from vouchers.models import VoucherType

START: dict[str, Any] = {"name": "", "award": {"kind": "PER_AMOUNT", "type": "PTS"}}
TENDERS = ("CASH", "CARD", "GIFT_CARD", "ACCOUNT", "VOUCHER", "POINTS", "OTHER")
TRIGGERS = ("PURCHASE", "EVENT", "ENROLMENT", "BIRTHDAY", "TIER_CHANGE", "REFERRAL")
KINDS = ("PER_AMOUNT", "FIXED", "MULTIPLIER", "PER_ITEM", "BANDED", "VOUCHER", "TICKET")


class CodesField(forms.CharField):
    """Codes that commas or lines separate."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return codes(super().to_python(value) or "")


def _several(label: str, help_text: str = "") -> forms.MultipleChoiceField:
    """Return a choice of any number of codes out of many."""
    widget = UnfoldAdminSelect2MultipleWidget()
    return forms.MultipleChoiceField(
        label=label, required=False, widget=widget, help_text=help_text
    )


def _boxes(label: str, values: tuple[str, ...]) -> forms.MultipleChoiceField:
    named = [(value, value.replace("_", " ").capitalize()) for value in values]
    return forms.MultipleChoiceField(
        label=label,
        choices=named,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )


def _line(label: str, help_text: str = "", *, required: bool = False) -> forms.CharField:
    widget = UnfoldAdminTextInputWidget()
    return forms.CharField(
        label=label, required=required, max_length=200, widget=widget, help_text=help_text
    )


def _select(label: str, help_text: str = "") -> forms.ChoiceField:
    """Return a choice whose codes are filled in when the form is made."""
    widget = UnfoldAdminSelectWidget()
    return forms.ChoiceField(label=label, required=False, widget=widget, help_text=help_text)


def _instant(label: str, help_text: str = "") -> forms.SplitDateTimeField:
    widget = UnfoldAdminSplitDateTimeWidget()
    return forms.SplitDateTimeField(label=label, required=False, widget=widget, help_text=help_text)


def _switch(label: str, help_text: str = "") -> forms.BooleanField:
    widget = UnfoldBooleanSwitchWidget()
    return forms.BooleanField(label=label, required=False, widget=widget, help_text=help_text)


def _time(label: str) -> forms.TimeField:
    return forms.TimeField(label=label, required=False, widget=UnfoldAdminSingleTimeWidget())


class PromotionForm(forms.ModelForm):
    """A promotion. What its fields say together is read as the API reads it."""

    name = _line("Name", required=True)
    trigger = choice(*TRIGGERS, label="Begins with")
    event = _select("Event", "Of promotions that begin with an event.")
    funded_by = _select("Paid by", "Empty: the programme.")
    visible = _switch("Shown to members", "Where they see promotions.")
    effective_from = _instant("Takes over", "Empty: at once, when it is saved.")
    active_from = _instant("Runs from")
    active_to = _instant("Runs until")
    weekdays = _boxes("Weekdays", WEEKDAYS)
    hours__from = _time("Hours from")
    hours__to = _time("Hours until")
    audience__segments = _several("Segments", "Members of any of them; empty: of all.")
    audience__not_segments = _several("Not segments", "Members of any of them do not get it.")
    audience__tiers = _several("Tiers")
    audience__stages = _several("Stages")
    audience__partners = _several("Partners")
    audience__outlets = CodesField(label="Outlets", required=False, help_text="Such as S1, S2.")
    audience__channels = CodesField(label="Channels", required=False, help_text="Such as POS.")
    audience__guests = _switch("Guests too", "It is shown to guests in an evaluation.")
    coupons = CodesField(label="Coupons", required=False, help_text="Any of them opens it.")
    lines__include = RowsField(LinesRow, noun="what counts", label="Lines that count")
    lines__exclude = RowsField(LinesRow, noun="what does not", label="Lines that do not count")
    not_tenders = _boxes("Tenders that do not earn", TENDERS)
    minimum__amount = _line("At least (money)", "What the lines that count reach together.")
    minimum__quantity = _line("At least (pieces)")
    condition = forms.CharField(
        label="Condition",
        required=False,
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 3, "style": "font-family:monospace", "spellcheck": "false"}
        ),
        help_text="In CEL, such as: basket.amount >= 10.0 && member.tier != 'BASE'",
    )
    award__kind = choice(*KINDS, label="Gives")
    award__type = _select("Point type")
    award__points = forms.IntegerField(
        label="Points", required=False, min_value=1, widget=UnfoldAdminTextInputWidget()
    )
    award__per = _line("For each (money)", "Such as 1.00.")
    award__factor = _line("Factor", "Such as 1.5; the base stays, the extra is added.")
    award__bands = RowsField(BandRow, noun="band", label="Bands")
    award__voucher_type = _select("Voucher type")
    award__sweepstake = _select("Sweepstake")
    award__quantity = forms.IntegerField(
        label="Quantity", required=False, min_value=1, widget=UnfoldAdminTextInputWidget()
    )
    award__rounding = choice("FLOOR", "HALF_UP", "CEILING", label="Rounding")
    award__scope = choice("LINE", "BASKET", label="Rounded for each")
    pending = _line("Pending", "A duration such as P14D; empty: available at once.")
    expiry__after = _line("Expires after", "A duration such as P12M; empty: as the point type.")
    expiry__from = choice("EARNED", "AVAILABLE", "ACTIVITY", label="Counted from")
    expiry__round_up = choice("NONE", "DAY", "MONTH", "QUARTER", "YEAR", label="Until the end of")
    combination__priority = forms.IntegerField(
        label="Priority",
        initial=0,
        min_value=-1000,
        max_value=1000,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Higher ones first.",
    )
    combination__group = _line("Group", "Of a group only the first that awards stands.")
    combination__stackable = _switch("Goes with others", "If not, it awards alone or not at all.")
    combination__base = _switch("Is a base", "Multipliers multiply base promotions.")
    combination__multiply = choice("AFTER", "BEFORE", label="Multiplies the base … its limits")
    limits = RowsField(LimitRow, noun="limit", label="Limits")
    budget__measure = choice("POINTS", "MONEY", "USES", label="Budget of", required=False)
    budget__at_most = _line("Budget", "What it gives altogether; empty: no budget.")
    budget__then = choice("REDUCE", "SKIP", label="When it runs out", required=False)
    texts = RowsField(TextRow, noun="language", label="Texts")
    tests = RowsField(TestRow, noun="test", label="Rule tests")
    use_expert = _switch("Use this JSON", "In place of the form's other tabs.")
    expert = forms.CharField(
        label="Definition",
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 30, "style": "font-family:monospace", "spellcheck": "false"}
        ),
        help_text="As the API takes it; docs/promotions.md.",
    )

    class Meta:
        model = Promotion
        fields = ["code"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        promotion = kwargs.get("instance")
        self.before = last_definition(promotion)
        kwargs["initial"] = {
            **initial_of(self.before or _defaults()),
            "expert": json.dumps(self.before or START, indent=2, ensure_ascii=False),
            **(kwargs.get("initial") or {}),
        }
        super().__init__(*args, **kwargs)
        self.definition: Definition | None = None
        if promotion is not None and promotion.pk and "code" in self.fields:
            self.fields["code"].disabled = True
        start = self.initial.get("effective_from")
        if start is not None and start <= timezone.now():
            self.initial["effective_from"] = None
        self._fill_choices()

    def _fill_choices(self) -> None:
        """Offer what there is, and what the promotion names though it is not there any more."""
        for name, known in (
            ("event", EventType.objects.values_list("code", "name")),
            ("funded_by", Partner.objects.filter(is_house=False).values_list("code", "name")),
            ("award__type", PointType.objects.filter(active=True).values_list("code", "name")),
            ("award__voucher_type", VoucherType.objects.values_list("code", "name")),
            ("award__sweepstake", Sweepstake.objects.values_list("code", "name")),
            ("audience__segments", Segment.objects.values_list("code", "name")),
            ("audience__not_segments", Segment.objects.values_list("code", "name")),
            ("audience__tiers", Tier.objects.order_by("rank").values_list("code", "name")),
            ("audience__stages", Member.Stage.choices),
            ("audience__partners", Partner.objects.values_list("code", "name")),
        ):
            field = self.fields.get(name)
            if not isinstance(field, forms.ChoiceField):
                continue
            choices = [
                (code, f"{code} — {title}" if title != code else code) for code, title in known
            ]
            there = {code for code, _ in choices}
            held = self.initial.get(name) or []
            choices += [
                (c, c) for c in ([held] if isinstance(held, str) else held) if c not in there
            ]
            several = isinstance(field, forms.MultipleChoiceField)
            field.choices = choices if several else [("", "—"), *choices]

    def clean(self) -> dict[str, Any]:
        """Read the definition; what is wrong is shown at the field that says it."""
        given: dict[str, Any] = super().clean() or {}
        try:
            content = self._content(given)
            if content is None or self.errors:
                return given
            self.definition = read_definition(content)
            if self.instance.status == Promotion.Status.LIVE:
                run_tests(self.definition)
        except ExpressionInvalid as error:
            place = "expert" if given.get("use_expert") else "condition"
            text = content.get("condition") or "" if content else ""
            self.add_error(place, at_its_place(text, error))
        except ValidationFailed as failed:
            for each in failed.errors:
                self._add(each.pointer, each.message)
        except LoyaltyError as error:
            self.add_error(None, error.detail)
        return given

    def _content(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        if not given.get("use_expert"):
            return content_of(given, self.before or {})
        try:
            content = json.loads(given.get("expert") or "")
        except (ValueError, RecursionError) as error:
            self.add_error("expert", f"This is not JSON: {error}")
            return None
        if not isinstance(content, dict):
            self.add_error("expert", "Give a JSON object.")
            return None
        return content

    def _add(self, pointer: str, message: str) -> None:
        """Add an error to the field that a pointer leads to, or to the one above it."""
        words = pointer.strip("/").split("/")
        if self.cleaned_data.get("use_expert"):
            self.add_error("expert", f"{pointer}: {message}" if pointer else message)
            return
        for count in range(len(words), 0, -1):
            name = "__".join(words[:count])
            if name in self.fields:
                rest = words[count:]
                row = f"Row {int(rest[0]) + 1}: " if rest and rest[0].isdigit() else ""
                self.add_error(name, f"{row}{message}")
                return
        self.add_error(None, f"{pointer}: {message}" if pointer else message)

    def content(self) -> dict[str, Any]:
        """Return the definition to be written; as it was, where nothing else than its start is."""
        assert self.definition is not None
        content = self._content(self.cleaned_data)
        assert content is not None
        if self.before is not None and content.get("effective_from") is None:
            same = read_definition({**self.before, "effective_from": None})
            if digest_of(same) == digest_of(self.definition):
                return self.before
        return content


def last_definition(promotion: Promotion | None) -> dict[str, Any] | None:
    """Return the definition of a promotion's last version."""
    last = promotion.versions.order_by("number").last() if promotion and promotion.pk else None
    return last.definition if last else None


def _defaults() -> dict[str, Any]:
    return {**START, "visible": True, "combination": {"priority": 0, "stackable": True}}


def at_its_place(condition: str, error: ExpressionInvalid) -> str:
    """Return an error of a condition with the text before and after its place."""
    position = error.extra["position"]
    before, after = condition[max(0, position - 30) : position], condition[position : position + 30]
    text = error.detail.partition(" (at character")[0]
    return f"At character {position + 1}, {before}▸{after}: {text}"
