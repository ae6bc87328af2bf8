from typing import Any

import factory
from django.db import transaction

from loyalty.services import epoch
from promotions.models import EventType


class EventTypeFactory(factory.django.DjangoModelFactory[EventType]):
    """A survey with a score from 0 to 10; `partners=[…]` may send it, or everybody."""

    class Meta:
        model = EventType
        skip_postgeneration_save = True

    code = "SURVEY"
    name = factory.LazyAttribute(lambda made: made.code.title())
    schema: Any = factory.LazyFunction(
        lambda: {
            "score": {"type": "INTEGER", "minimum": 0, "maximum": 10, "required": True},
            "comment": {"type": "TEXT", "max_length": 40},
        }
    )

    @factory.post_generation
    def partners(self, create, extracted, **kwargs):
        if extracted:
            self.partners.set(extracted)
        with transaction.atomic():
            epoch.bump()
