"""Codes on their way: sent once, sent again when a worker dies, and never twice at once."""

import smtplib
import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends import locmem
from django.db import connection, transaction

from members.models import Verification
from members.services import messages, sms, verifications
from members.services.verifications import Wanted
from tests.factories.members import MemberFactory
from tests.factories.messages import code_in, mailed

MAIL = Wanted("CONTACT", "EMAIL")


def ask(member, now, wanted=MAIL):
    with transaction.atomic():
        return verifications.ask(member.pk if member else None, wanted, at=now)


@pytest.fixture
def ann(program):
    return MemberFactory(email="ann@example.org", phone="+436641234567")


def test_a_message_is_sent_once(ann, now):
    row = ask(ann, now)

    assert [messages.send(row.pk, at=now) for _ in range(3)] == [True, False, False]
    assert len(mail.outbox) == 1
    assert Verification.objects.get().sent_at == now


def test_what_is_asked_for_nobody_is_never_sent(ann, now):
    row = ask(None, now)

    assert messages.send(row.pk, at=now) is False
    assert messages.forgotten(at=now + timedelta(minutes=5)) == []
    assert mail.outbox == []


def test_a_mail_server_that_is_away_gets_it_later(ann, now, monkeypatch, caplog):
    row = ask(ann, now)
    with monkeypatch.context() as patch:

        def away(*arguments):
            raise smtplib.SMTPServerDisconnected("gone: ann@example.org")

        patch.setattr(locmem.EmailBackend, "send_messages", away)
        assert messages.send(row.pk, at=now) is False
    later = now + timedelta(minutes=3)

    assert "ann@example.org" not in caplog.text
    assert messages.forgotten(at=now + timedelta(minutes=1)) == []
    assert messages.forgotten(at=later) == [row.pk]
    assert messages.send(row.pk, at=later) is True
    assert len(mail.outbox) == 1


def test_a_provider_of_sms_that_refuses_gets_it_later(ann, now, settings):
    row = ask(ann, now, Wanted("CONTACT", "SMS"))
    settings.LAUREL_SMS_SENDER = "tests.members.test_messages.Refusing"
    sms.sender.cache_clear()

    assert messages.send(row.pk, at=now) is False

    sms.sender.cache_clear()
    assert messages.forgotten(at=now + timedelta(minutes=3)) == [row.pk]


class Refusing:
    """A provider that takes nothing."""

    def send(self, *, to, text):
        raise sms.SmsNotSent("no credit")


def test_a_worker_that_died_leaves_it_to_the_sweep_and_the_last_code_counts(ann, now):
    row = ask(ann, now)
    claimed = messages._claim(row.pk, at=now)  # and killed here

    assert messages.send(row.pk, at=now + timedelta(seconds=30)) is False
    assert messages.send(row.pk, at=now + timedelta(minutes=3)) is True
    sent = code_in(mailed().body)
    kept = bytes(Verification.objects.get().secret_hash)
    assert messages.secret_hash(row.pk, "CONTACT", messages.Secret(sent)) == kept
    assert claimed.secret == sent or (
        messages.secret_hash(row.pk, "CONTACT", messages.Secret(claimed.secret)) != kept
    )


def test_what_is_over_or_used_is_not_sent(ann, now):
    over, used = ask(ann, now), ask(ann, now)
    Verification.objects.filter(pk=used.pk).update(used_at=now)

    assert messages.send(over.pk, at=now + timedelta(minutes=10)) is False
    assert messages.send(used.pk, at=now) is False


@pytest.mark.django_db(transaction=True)
def test_of_workers_at_once_one_sends(committed_program, now):
    row = ask(MemberFactory(email="ann@example.org"), now)
    sent = []

    def work():
        sent.append(messages.send(row.pk, at=now))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(sent) == [False] * 7 + [True]
    assert len(mail.outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_the_queue_hears_of_it_on_commit_and_holds_no_secret(committed_program, now, monkeypatch):
    told = []
    monkeypatch.setattr(
        verifications.jobs, "tell", lambda task, **arguments: told.append((task, arguments))
    )

    row = ask(MemberFactory(email="ann@example.org"), now)

    assert told == [("members.tasks.send_message", {"verification_id": str(row.pk)})]


def test_a_mail_can_be_seen_in_its_file(ann, now, settings, tmp_path):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    row = ask(ann, now)

    assert messages.send(row.pk, at=now) is True

    [file] = (tmp_path / "mail").iterdir()
    assert "To: ann@example.org" in file.read_text()


def test_codes_are_forgotten_a_day_after_their_end(ann, now):
    ask(ann, now)

    assert verifications.forget_old(at=now + timedelta(days=1)) == 0
    assert verifications.forget_old(at=now + timedelta(days=1, minutes=11)) == 1
