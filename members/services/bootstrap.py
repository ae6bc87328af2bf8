"""What the members app needs before anything runs. Safe to repeat."""

from members.models import Tier


def install() -> None:
    """Make the ladder, unless the programme has one."""
    if Tier.objects.exists():
        return
    for rank, code in enumerate(("BASE", "SILVER", "GOLD")):
        Tier.objects.create(code=code, name=code.title(), rank=rank, is_base=rank == 0)
