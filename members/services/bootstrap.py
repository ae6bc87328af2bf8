"""What the members app needs before anything runs. Safe to repeat."""

from members.models import CardRange, Tier


def install() -> None:
    """Make the ladder and a range of card numbers, unless the programme has its own."""
    if not Tier.objects.exists():
        for rank, code in enumerate(("BASE", "SILVER", "GOLD")):
            Tier.objects.create(code=code, name=code.title(), rank=rank, is_base=rank == 0)
    if not CardRange.objects.exists():
        CardRange.objects.create(
            code="CARDS", name="Cards", first="627510000000000", last="627519999999999"
        )
