from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from ledger.services import bootstrap as ledger
from loyalty.services import bootstrap as loyalty
from members.services import bootstrap as members
from partners.services import bootstrap as partners
from promotions.services import bootstrap as promotions


class Command(BaseCommand):
    help = "Make what Laurel needs before anything runs. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            for app in (loyalty, partners, members, ledger, promotions):
                app.install()
