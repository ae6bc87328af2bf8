"""A field of rows: a table of small forms inside a form, to which rows are added in the page."""

from collections.abc import Mapping
from typing import Any

from django import forms

ROWS_MAX = 200


class Row(forms.Form):
    """One row of a table. A row that is as it was given out empty counts as not there."""

    use_required_attribute = False


class RowsWidget(forms.Widget):
    """A table of rows, with an empty one to be copied by `builder.js`."""

    template_name = "promotions/rows.html"

    def __init__(self, row: type[Row], *, noun: str) -> None:
        super().__init__()
        self.row, self.noun = row, noun

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        """Return the rows that were sent, as forms; those that are marked to go are left out."""
        count = str(data.get(f"{name}-rows", ""))[:6]
        total = min(int(count), ROWS_MAX) if count.isascii() and count.isdigit() else 0
        rows = []
        for place in range(total):
            prefix = f"{name}-{place}"
            sent = any(f"{prefix}-{field}" in data for field in self.row.base_fields)
            if sent and f"{prefix}-gone" not in data:
                row = self.row(data, prefix=prefix)
                rows += [row] if row.has_changed() else []
        return rows

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, None, attrs)
        rows = [
            row if isinstance(row, Row) else self.row(initial=row, prefix=f"{name}-{place}")
            for place, row in enumerate(value or ())
        ]
        places = [int((row.prefix or "").rpartition("-")[2]) for row in rows]
        context["widget"] |= {
            "rows": rows,
            "empty": self.row(prefix=f"{name}-__place__"),
            "noun": self.noun,
            "count": max(places, default=-1) + 1,
        }
        return context


class RowsField(forms.Field):
    """A list of what rows hold, each as the row's form has cleaned it."""

    def __init__(self, row: type[Row], *, noun: str, **options: Any) -> None:
        super().__init__(required=False, widget=RowsWidget(row, noun=noun), **options)

    def clean(self, value: Any) -> list[dict[str, Any]]:
        wrong: list[Any] = [
            _wrong(place, row) for place, row in enumerate(value, 1) if not row.is_valid()
        ]
        if wrong:
            raise forms.ValidationError(wrong)
        return [row.cleaned_data for row in value]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return True


def _wrong(place: int, row: Row) -> str:
    """Return what is wrong with a row, for where the row itself is not on the screen."""
    named = (
        f"{row[name].label if name in row.fields else ''} {' '.join(map(str, errors))}".strip()
        for name, errors in row.errors.items()
    )
    return f"Row {place}: {'; '.join(named)}"
