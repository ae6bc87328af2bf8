"""The epoch: a count of changes to what processes keep in memory."""

from django.db import connection
from django.db.models import F

from loyalty.models import Program


def bump() -> None:
    """Move the epoch on, in the transaction of the change, so that all processes read anew.

    Postings read the epoch with the book, so they agree from the commit on.
    """
    assert connection.in_atomic_block, "the epoch moves with the change it announces"
    Program.objects.filter(pk=1).update(epoch=F("epoch") + 1)
