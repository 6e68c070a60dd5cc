"""Which addresses lead to one mailbox."""

from service.rules.mailboxes import MISTYPED, PROVIDERS, mailbox
from tests.support.cases import cases


@cases(
    "email, one",
    ("dots and a tag of Gmail", "j.o.e+shop@gmail.com", "joe@gmail.com"),
    ("Google's other domain", "joe@googlemail.com", "joe@gmail.com"),
    ("a tag of Outlook", "j.oe+shop@outlook.com", "j.oe@outlook.com"),
    ("Apple's other domains", "joe@me.com", "joe@icloud.com"),
    ("a mistyped domain", "j.oe+shop@gmial.com", "joe@gmail.com"),
    ("one whose provider is not known", "j.oe+shop@yaho.com", "j.oe+shop@yahoo.com"),
    ("a provider that is called alike", "joe@ymail.com", "joe@ymail.com"),
    ("dots of another domain", "j.oe@firma.example", "j.oe@firma.example"),
    ("a tag of another domain", "joe+shop@firma.example", "joe+shop@firma.example"),
    ("a domain that ends like Gmail's", "j.oe@notgmail.com", "j.oe@notgmail.com"),
    ("a part of Gmail's domain", "j.oe@mail.gmail.com", "j.oe@mail.gmail.com"),
    ("nothing before the tag", "+shop@gmail.com", "+shop@gmail.com"),
    ("dots alone", "...@gmail.com", "...@gmail.com"),
    ("capitals beyond ASCII", "JOSÉ@firma.example", "josé@firma.example"),
    ("an international domain", "j.oe@xn--mller-kva.example", "j.oe@xn--mller-kva.example"),
)
def test_a_mailbox_is_the_same_for_all_addresses_that_lead_there(email, one):
    assert mailbox(email) == one


def test_no_domain_is_both_a_provider_and_mistyped():
    assert MISTYPED.keys().isdisjoint({*PROVIDERS, *MISTYPED.values()})
