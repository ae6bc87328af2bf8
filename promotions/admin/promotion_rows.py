"""The rows of a promotion's form: limits, bands, lines, texts and rule tests."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from promotions.admin import written
from promotions.admin.rows import Row


def text(*, required: bool = True, width: str = "8rem", **options: Any) -> forms.CharField:
    """Return a field of one line of text."""
    widget = UnfoldAdminTextInputWidget({"style": f"min-width:{width}"})
    return forms.CharField(required=required, widget=widget, **options)


def area(*, required: bool = True, rows: int = 2, **options: Any) -> forms.CharField:
    """Return a field of several lines of text."""
    style = "min-width:16rem;font-family:monospace"
    widget = UnfoldAdminTextareaWidget({"rows": rows, "style": style, "spellcheck": "false"})
    return forms.CharField(required=required, widget=widget, **options)


def choice(*values: str, required: bool = True, **options: Any) -> forms.ChoiceField:
    """Return a field with a choice of codes, shown as words."""
    named = [(value, value.replace("_", " ").capitalize() or "—") for value in values]
    widget = UnfoldAdminSelectWidget({"style": "min-width:8rem"})
    return forms.ChoiceField(choices=named, required=required, widget=widget, **options)


class LimitRow(Row):
    """The most that a purchase, a member or the programme gets."""

    per = choice("TRANSACTION", "MEMBER", "PROGRAM", initial="MEMBER")
    period = choice("", "DAY", "WEEK", "MONTH", "YEAR", "LIFE", required=False, initial="DAY")
    measure = choice("USES", "POINTS", "AMOUNT", initial="USES")
    at_most = text(help_text="Uses and points are whole numbers, an amount is money.")
    then = choice("REDUCE", "SKIP", initial="REDUCE")

    def clean_at_most(self) -> int | str:
        return written.number(self.cleaned_data["at_most"])


class BandRow(Row):
    """From a spend on: points once, or points for each step of money."""

    start = text(label="From", width="6rem")
    points = forms.IntegerField(min_value=1, widget=UnfoldAdminIntegerFieldWidget())
    per = text(required=False, width="6rem", help_text="Empty: the points are given once.")


class LinesRow(Row):
    """Values of a key, any of which a line must have."""

    key = text(initial="category", help_text="sku, category, brand or an attribute.")
    values = area(help_text="Separated by commas or lines.", rows=1)

    def clean_values(self) -> list[str]:
        return written.codes(self.cleaned_data["values"])


class TextRow(Row):
    """What members read, in one language."""

    language = text(width="4rem", help_text="Such as en or de-AT.")
    title = text(required=False, width="10rem")
    body = area(required=False)
    terms = area(required=False)


class TestRow(Row):
    """An example basket with what it must earn."""

    name = text()
    at = text(label="When", width="12rem", help_text="Such as 2026-01-05T12:00:00+01:00.")
    lines = area(
        required=False,
        help_text="One a line: 2 x 5.98 sku=1095275 category=COFFEE brand=Own discount=0.50",
    )
    who = choice("MEMBER", "GUEST", initial="MEMBER")
    tier = text(required=False, width="5rem", help_text="Empty: as the audience has it.")
    expects = text(required=False, help_text="Such as 12 PTS, 1 VOUCHER FIVE; empty: nothing.")
    more = area(
        required=False,
        help_text="JSON: what else the basket has, and of the member, such as"
        ' {"coupons": ["SPRING"], "member": {"segments": []}}.',
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for field, read in (
            ("lines", written.read_lines),
            ("expects", written.read_expected),
            ("more", written.read_json),
        ):
            try:
                given[field] = read(given.get(field) or "")
            except ValueError as error:
                self.add_error(field, str(error))
        return given
