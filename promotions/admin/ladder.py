"""The ladder in the back office: its versions, and a new one once it was seen who would move."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from ledger.queries.configuration import configuration
from loyalty.admin_base import ReadOnlyAdmin
from loyalty.caller import Actor
from members.ladder import Counts, Definition, Downgrade, Measure, Threshold, Window
from members.models import LadderVersion
from promotions.admin.confirmed import ConfirmedPages
from promotions.admin.tables import table
from promotions.services.tiers import ladder as ladders


def _choice(kind: Any) -> forms.ChoiceField:
    choices = [(each.value, each.value.replace("_", " ").capitalize()) for each in kind]
    return forms.ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget())


class LadderForm(forms.Form):
    """A ladder as it is to be. What is wrong with it as a whole, the service says."""

    measure = _choice(Measure)
    point_type = forms.CharField(
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Whose points count; empty: all that qualify.",
    )
    window = _choice(Window)
    months = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=120,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Of rolling months.",
    )
    counts = _choice(Counts)
    thresholds = forms.CharField(
        widget=UnfoldAdminTextareaWidget(), help_text="One a line, such as: SILVER 750.00"
    )
    downgrade = _choice(Downgrade)
    valid = forms.CharField(
        required=False,
        max_length=32,
        widget=UnfoldAdminTextInputWidget(),
        help_text="END_OF_YEAR, END_OF_NEXT_YEAR or a duration such as P1Y; empty: as measured.",
    )
    grace = forms.CharField(
        required=False,
        max_length=32,
        widget=UnfoldAdminTextInputWidget(),
        help_text="A duration such as P1M; empty: none.",
    )
    effective_from = forms.SplitDateTimeField(
        required=False, widget=UnfoldAdminSplitDateTimeWidget(), help_text="Empty: at once."
    )

    def clean_thresholds(self) -> tuple[Threshold, ...]:
        found = []
        for number, line in enumerate(self.cleaned_data["thresholds"].splitlines(), start=1):
            words = line.split()
            if words and len(words) != 2:  # noqa: PLR2004 a tier and an amount
                raise forms.ValidationError(f"Line {number}: a tier and what it takes.")
            if words:
                found.append(Threshold(words[0].upper(), _amount(words[1])))
        return tuple(found)

    def definition(self) -> Definition:
        """Return the ladder as the service takes it."""
        given = self.cleaned_data
        return Definition(
            measure=Measure(given["measure"]),
            window=Window(given["window"]),
            thresholds=tuple(
                Threshold(each.tier, str(each.at_least)) if given["measure"] == "SPEND" else each
                for each in given["thresholds"]
            ),
            point_type=given["point_type"] or None,
            months=given["months"],
            counts=Counts(given["counts"]),
            downgrade=Downgrade(given["downgrade"]),
            valid=given["valid"] or None,
            grace=given["grace"] or None,
        )


def _amount(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


@admin.register(LadderVersion)
class LadderVersionAdmin(ConfirmedPages, ReadOnlyAdmin):
    list_display = ["number", "effective_from", "measure", "created_at", "created_by"]
    ordering = ["-number"]
    actions_list = ["write"]

    @admin.display(description="Measure")
    def measure(self, version: LadderVersion) -> str:
        return f"{version.definition['measure']} over {version.definition['window']}"

    def has_write_permission(self, request: HttpRequest) -> bool:
        """Versions are written here, and never edited."""
        return request.user.has_perm("members.add_ladderversion")

    @action(description="Write a new version", permissions=["write"], url_path="write")
    def write(self, request: HttpRequest) -> HttpResponse:
        """Ask for the ladder, show who would move, then put it in effect."""
        now, by = timezone.now(), Actor.staff(request.user.get_username())

        def confirm(form: Any) -> Any:
            start = form.cleaned_data["effective_from"]
            return ladders.put_ladder(form.definition(), effective_from=start, at=now, by=by)

        return self._page(
            request,
            LadderForm,
            preview=_movers,
            confirm=confirm,
            title="Write a new version of the ladder",
            text="Up is at once, down once validity and grace are over.",
            verb="Put it in effect",
            back=reverse("admin:members_ladderversion_changelist"),
            initial=_initial(),
        )


def _initial() -> dict[str, Any]:
    """Return the newest version, to be changed."""
    newest = LadderVersion.objects.order_by("-number").first()
    if newest is None:
        return {"window": Window.ROLLING_MONTHS, "months": 12, "measure": Measure.SPEND}
    lines = [f"{each['tier']} {each['at_least']}" for each in newest.definition["thresholds"]]
    return {**newest.definition, "thresholds": "\n".join(lines)}


def _movers(form: Any) -> str:
    settings, now = configuration(), timezone.now()
    definition = form.definition()
    ladders.check_definition(definition, settings)
    ladders.check_start(form.cleaned_data["effective_from"], at=now)
    found = ladders.preview(ladders.drafted_ladder(definition, settings, at=now), at=now)
    rows = [
        [row["from"], row["to"], f"{row['members']:,}", ", ".join(row["sample"])]
        for row in found.rows()
    ]
    return table(["from", "to", "members", "such as"], rows or [["", "Nobody moves", "0", ""]])
