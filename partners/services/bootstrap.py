"""What the partners app needs before anything runs. Safe to repeat."""

from partners.models import Partner


def install() -> None:
    """Make the house: the partner that is the programme itself."""
    Partner.objects.get_or_create(
        is_house=True, defaults={"code": "HOUSE", "name": "The programme", "kind": "HOUSE"}
    )
