import factory
from django.contrib.auth.models import Group
from django.db import transaction

from loyalty.models import Master, MasterEntity, User
from loyalty.services import masters


class UserFactory(factory.django.DjangoModelFactory[User]):
    """A person of the staff; `groups=["Auditor"]` puts them into groups that bootstrap made."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"staff-{n}")
    is_staff = True

    @factory.post_generation
    def groups(self, create, extracted, **kwargs):
        for name in extracted or ():
            self.groups.add(Group.objects.get(name=name))


class MasterFactory(factory.django.DjangoModelFactory[Master]):
    """A master, stored as the back office stores it: with its path."""

    class Meta:
        model = Master

    entity = factory.LazyFunction(lambda: MasterEntity.objects.get(code="category"))
    code = factory.Sequence(lambda n: f"MASTER-{n}")
    name = factory.LazyAttribute(lambda master: master.code.title())

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        master = model_class(*args, **kwargs)
        with transaction.atomic():
            masters.save(master)
        return master
