from typing import Any

import factory
from django.utils import timezone

from members.models import Member, Segment, SegmentMember


class SegmentFactory(factory.django.DjangoModelFactory[Segment]):
    """A static segment; `members=[…]` puts members in, `condition=…` makes it dynamic."""

    class Meta:
        model = Segment
        skip_postgeneration_save = True

    code = factory.Sequence(lambda n: f"SEGMENT-{n}")
    name = factory.LazyAttribute(lambda made: made.code.title())
    condition = ""
    kind = factory.LazyAttribute(lambda made: "DYNAMIC" if made.condition else "STATIC")
    created_at = factory.LazyFunction(timezone.now)

    @factory.post_generation
    def members(self, create: bool, extracted: list[Member] | None, **kwargs: Any) -> None:
        for member in extracted or ():
            SegmentMember.objects.create(segment=self, member=member, since=self.created_at)
        self.size = len(extracted or ())
        self.save()


def inside(segment: Segment) -> set[int]:
    """Return the ids of the members who are in a segment."""
    return set(SegmentMember.objects.filter(segment=segment).values_list("member_id", flat=True))
