"""E-mail addresses and phone numbers have one form."""

import pytest

from members.contacts import NotAContact, email_of, masked, phone_of, plain_login


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("Ann@Example.ORG", "ann@example.org"),
        ("  ann@example.org\n", "ann@example.org"),
        ("ann+shop@mail.example.org", "ann+shop@mail.example.org"),
        ("o'hara@example.org", "o'hara@example.org"),
        ("A\u0308nn@exa\u0308mple.org", "änn@exämple.org"),
    ],
)
def test_an_address_is_lower_case_and_trimmed(given, stored):
    assert email_of(given) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "@example.org",
        "ann@",
        "ann@example",
        "a b@example.org",
        "ann@exa mple.org",
        "a@b@example.org",
        "ann@example..org",
        "ann\x00@example.org",
        "x" * 250 + "@a.org",
        "a,b@c.org",
    ],
)
def test_what_is_no_address_is_told_so(text):
    with pytest.raises(NotAContact):
        email_of(text)


@pytest.mark.parametrize(
    ("given", "region", "stored"),
    [
        ("0664 123 45 67", "AT", "+436641234567"),
        ("+43 (664) 123-45-67", "US", "+436641234567"),
        ("0043 664 1234567", "AT", "+436641234567"),
        ("(202) 555-0123", "US", "+12025550123"),
    ],
)
def test_a_number_is_e_164(given, region, stored):
    assert phone_of(given, region) == stored


@pytest.mark.parametrize(
    "text", ["", "12", "0664abc", "+", "1" * 41, "0664\0123", "tel:+436641234567", "+999123456"]
)
def test_what_is_no_number_is_told_so(text):
    with pytest.raises(NotAContact):
        phone_of(text, "AT")


def test_a_login_name_is_counted_in_one_form():
    assert plain_login(" Ann@Example.org ") == plain_login("ann@example.org")


def test_a_contact_is_shown_to_its_owner_only():
    assert masked("ann@example.org") == "a***@example.org"
    assert masked("+436641234567") == "+43***67"
