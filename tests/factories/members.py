import factory
from django.utils import timezone

from loyalty.models import IdentityProvider
from members.models import Alias, Card, CardRange, Member, Tier
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


class CardFactory(factory.django.DjangoModelFactory[Card]):
    """An active card of a member of its own."""

    class Meta:
        model = Card

    number = factory.Sequence(lambda n: f"62750000{n:08}")
    member = factory.SubFactory(MemberFactory)
    issued_at = factory.LazyFunction(timezone.now)


class AliasFactory(factory.django.DjangoModelFactory[Alias]):
    """An e-mail address of a member of its own."""

    class Meta:
        model = Alias

    member = factory.SubFactory(MemberFactory)
    provider = factory.LazyFunction(lambda: IdentityProvider.objects.get(code="email"))
    value = factory.Sequence(lambda n: f"ann{n}@example.org")


class CardRangeFactory(factory.django.DjangoModelFactory[CardRange]):
    """A hundred printed numbers, 6275 2nnn nnnn nn00 and on; `preprinted=False` gives them out."""

    class Meta:
        model = CardRange

    code = factory.Sequence(lambda n: f"RANGE-{n}")
    name = "Cards"
    first = factory.Sequence(lambda n: f"62752{n:08}00")
    last = factory.LazyAttribute(lambda made: made.first[:-2] + "99")
    preprinted = True
