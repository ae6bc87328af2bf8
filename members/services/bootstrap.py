"""What the members app needs before anything runs. Safe to repeat."""

from members.models import CardRange, StagePermission, Tier
from members.stages import CHANGEABLE


def install() -> None:
    """Make the ladder, a range of card numbers and what stages allow, where there are none."""
    if not Tier.objects.exists():
        for rank, code in enumerate(("BASE", "SILVER", "GOLD")):
            Tier.objects.create(code=code, name=code.title(), rank=rank, is_base=rank == 0)
    if not CardRange.objects.exists():
        CardRange.objects.create(
            code="CARDS", name="Cards", first="627510000000000", last="627519999999999"
        )
    for stage in CHANGEABLE:
        if not StagePermission.objects.filter(pk=stage).exists():
            StagePermission.by_default(stage).save(force_insert=True)
