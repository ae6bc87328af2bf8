import factory
from django.utils import timezone

from members.models import Card, Member, Tier
from members.services.enrolment import next_number
from partners.models import Partner


class MemberFactory(factory.django.DjangoModelFactory[Member]):
    """An active member of the base tier, enrolled by the house; `card="…"` gives it a card."""

    class Meta:
        model = Member
        skip_postgeneration_save = True

    number = factory.LazyFunction(next_number)
    tier = factory.LazyFunction(lambda: Tier.objects.get(is_base=True))
    enrolled_by = factory.LazyFunction(lambda: Partner.objects.get(is_house=True))
    joined_at = factory.LazyFunction(timezone.now)

    @factory.post_generation
    def card(self, create, extracted, **kwargs):
        if extracted:
            Card.objects.create(number=extracted, member=self, issued_at=self.joined_at)
