"""The try-it panel: a basket, and what it would earn under the promotion's form as it stands."""

from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeVerticalWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from ledger.queries.configuration import configuration
from partners.models import Partner
from promotions.admin import written
from promotions.engine.basket import Basket, BasketLine

MEMBER_DIGITS_MAX = 12  # A longer number is a card's.


class TryForm(forms.Form):
    """A basket to try a promotion on. Its fields go with the promotion's, behind a prefix."""

    use_required_attribute = False
    member = forms.CharField(
        required=False,
        max_length=40,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Number or card; empty: a guest, who earns only by promotions for guests.",
    )
    partner = forms.ModelChoiceField(
        Partner.objects.order_by("code"),
        required=False,
        to_field_name="code",
        widget=UnfoldAdminSelectWidget(),
    )
    outlet = forms.CharField(required=False, max_length=64, widget=UnfoldAdminTextInputWidget())
    channel = forms.CharField(required=False, max_length=64, widget=UnfoldAdminTextInputWidget())
    at = forms.SplitDateTimeField(
        label="When",
        required=False,
        widget=UnfoldAdminSplitDateTimeVerticalWidget(),
        help_text="Empty: now.",
    )
    coupons = forms.CharField(required=False, max_length=200, widget=UnfoldAdminTextInputWidget())
    lines = forms.CharField(
        initial="2 x 5.98\n0.99",
        widget=UnfoldAdminTextareaWidget(
            {"rows": 4, "style": "font-family:monospace", "spellcheck": "false"}
        ),
        help_text="One a line: 2 x 5.98 sku=1095275 category=COFFEE brand=Own discount=0.50",
    )

    weeks = forms.ChoiceField(
        label="Of history",
        choices=[("4", "4 weeks"), ("13", "13 weeks"), ("52", "52 weeks")],
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, prefix="try")

    def clean_lines(self) -> list[dict[str, Any]]:
        try:
            return written.read_lines(self.cleaned_data["lines"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def basket(self) -> Basket:
        """Return the basket as the engine takes it."""
        given = self.cleaned_data
        lines = (
            BasketLine(
                place,
                line.get("sku"),
                line.get("quantity", "1"),
                line["amount"],
                discount=line.get("discount", "0"),
                category=line.get("category"),
                brand=line.get("brand"),
            )
            for place, line in enumerate(given["lines"], 1)
        )
        return Basket(
            occurred_at=given["at"] or timezone.now(),
            currency=configuration().currency,
            lines=tuple(lines),
            coupons=tuple(written.codes(given["coupons"])),
            outlet=given["outlet"] or None,
            channel=given["channel"] or None,
        )

    def member_reference(self) -> dict[str, Any] | None:
        """Return who buys, as a call would name it; None for a guest."""
        text = self.cleaned_data["member"].strip()
        if not text:
            return None
        return {"number": text} if len(text) <= MEMBER_DIGITS_MAX else {"card": text}

    def partner_code(self) -> str:
        """Return the code of the partner who sells."""
        partner = self.cleaned_data["partner"]
        if partner is not None:
            return str(partner.code)
        first = Partner.objects.filter(is_house=False).order_by("code").first()
        return first.code if first else "HOUSE"
