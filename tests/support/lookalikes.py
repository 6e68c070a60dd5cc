"""People who have more than one record, and people who only look as if: a made population, seeded, so that
what finds duplicates can be measured. It was written down before that code was.

Of every kind there are ``OF_EACH``. A kind is one or more people, with one or more records each; whoever
asks which records are truly one person asks ``Record.person``.

Truly one person, in several records:

- ``same-email``: two user IDs with one email, as after a second sign-up; names equal or with a typo.
- ``capitals``: the same, and letters beyond ASCII in another case.
- ``dots``, ``plus-tag``, ``googlemail``: one mailbox of a provider that ignores dots and tags, or has two
  domains.
- ``said-email``, ``said-phone``: a record without an email, whose holder left the email or phone as a contact
  that the other has.
- ``second-account``: one device, used by both in turn by one person, who spells the name alike.
- ``moved-purchase``: one store account that went from the one record to the other.
- ``wrong-domain``: one email whose domain is misspelt, as people misspell that of a large provider; names
  equal or with a typo.
- ``typo``, ``swapped``: one misspelt email, with a letter missing or two swapped before the ``@``, and
  nothing else in common but the name. Nothing can tell these from namesakes, so nothing should try: they are
  why recall is below 1.

Two people, who only look like one:

- ``household-email``, ``household-phone``, ``household-device``, ``household-purchase``: a couple with one
  family name and different first names, who share that one thing.
- ``siblings``: as ``household-device``, with first names that are near each other (Jan and Jana).
- ``namesakes``: equal names, nothing else. ``common-names``: the same, of the most common names.
- ``dots-elsewhere``, ``plus-elsewhere``: addresses that differ in a dot or a tag, of a provider that keeps
  them apart.
- ``handed-on``: a device that was sold; two people, one after the other, with nothing alike.
- ``numbered``: equal names, and emails that differ in a digit, as the plain one was taken. ``initials``:
  equal names, and emails that differ in one letter, which stands for a middle name. ``siblings-email``: as
  ``siblings``, each with an email made of the name.
- ``near-domains``: one name before the ``@`` at two providers that are called nearly alike. ``wrong-home``: a
  couple, of whom one misspelt the domain of the other's email.

Many people who share something:

- ``shop-tablet``: one device, a crowd of users. ``test-email``: one email that many gave. ``switchboard``:
  one phone number of an office.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

OF_EACH, A_CROWD = 5, 14

_FIRST = """
Anna Ben Chiara David Emma Felix Greta Hugo Ida Jonas Karla Leo Mia Noah Olga Paul Rosa Samir Tara Umut Vera
Wanda Xaver Yuki Zoe Amira Bogdan Chidi Dilnoza Eero Fatima Goran
"""
_LAST = """
Albrecht Bianchi Castellanos Dubois Eriksen Fischer Grabowski Haddad Ivanova Jansen Kovalenko Lindqvist
Marchetti Nakamura Okafor Petrov Quispe Rossi Santos Tanaka Umarov Varga Wozniak
"""
FIRST, LAST = _FIRST.split(), _LAST.split()
COMMON = ("Maria Garcia", "John Smith", "Wei Wang", "Anna Müller", "Mohammed Ali")
SIBLINGS = (("Jan", "Jana"), ("Mario", "Maria"), ("Leon", "Leonie"), ("Paul", "Paula"), ("Emil", "Emilia"))

MISSPELT = (
    ("gmail.com", "gmial.com"),
    ("gmail.com", "gamil.com"),
    ("gmail.com", "gmail.con"),
    ("hotmail.com", "hotmial.com"),
    ("outlook.com", "outlok.com"),
    ("icloud.com", "iclould.com"),
    ("yahoo.com", "yaho.com"),
    ("gmail.com", "gmaul.com"),
)
NEAR_DOMAINS = (
    ("gmail.com", "mail.com"),
    ("gmx.net", "gmx.de"),
    ("gmail.com", "ymail.com"),
    ("hotmail.com", "hotmail.fr"),
    ("firma.example", "firmo.example"),
)


@dataclass(frozen=True)
class Record:
    """A user of an app: whose it is in truth, and what is known of them. ``devices`` are used, and
    ``accounts`` brought, in the order of the records."""

    kind: str
    person: int
    user_id: str
    name: str | None
    email: str | None = None
    said_email: str | None = None
    said_phone: str | None = None
    devices: tuple[str, ...] = field(default=())
    accounts: tuple[str, ...] = field(default=())


class Population:
    """Makes records of people, always the same of one seed."""

    def __init__(self, seed: int = 19) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - hides nothing
        self._people = 0
        self._records = 0

    def records(self) -> list[Record]:
        """Return all records; those of one kind stand together, as their order is who came first."""
        kinds = [self._one_person, self._two_people, self._crowds, self._mistyped, self._nearly_alike]
        return [record for kind in kinds for record in kind()]

    def _one_person(self) -> Iterator[Record]:
        for number in range(OF_EACH):
            mail = self._mailbox()
            yield from self._twice("same-email", {"email": f"{mail}@firma.example"})
            yield from self._twice(
                "capitals", {"email": f"{mail}é@post.example"}, {"email": f"{mail}É@post.example"}
            )
            dotted, gmail = mail.replace("-", "."), mail.replace("-", "")
            yield from self._twice(
                "dots", {"email": f"{dotted}1@gmail.com"}, {"email": f"{gmail}1@gmail.com"}
            )
            domain = ("gmail.com", "outlook.com", "icloud.com", "proton.me", "fastmail.com")[number % 5]
            yield from self._twice(
                "plus-tag", {"email": f"{gmail}2@{domain}"}, {"email": f"{gmail}2+shop@{domain}"}
            )
            yield from self._twice(
                "googlemail", {"email": f"{gmail}3@gmail.com"}, {"email": f"{dotted}3@googlemail.com"}
            )
            one = f"{mail}4@post.example"
            yield from self._twice("said-email", {"email": one}, {"said_email": one, "name": None})
            phone = self._phone()
            yield from self._twice(
                "said-phone",
                {"said_phone": phone},
                {"said_phone": phone.replace(" ", "-"), "name": None if number % 2 else ...},
            )
            device = f"{mail}-phone"
            yield from self._twice("second-account", {"devices": (device,)})
            yield from self._twice("moved-purchase", {"accounts": (f"{mail}-account",)})
            wrong = mail[:2] + mail[3:]
            yield from self._twice(
                "typo", {"email": f"{mail}5@firma.example"}, {"email": f"{wrong}5@firma.example"}
            )

    def _two_people(self) -> Iterator[Record]:
        for number in range(OF_EACH):
            mail = self._mailbox()
            yield from self._couple("household-email", email=f"family-{mail}@post.example")
            yield from self._couple("household-phone", said_phone=self._phone())
            yield from self._couple("household-device", devices=(f"{mail}-tablet",))
            yield from self._couple("household-purchase", accounts=(f"{mail}-family",))
            last = self._chance.choice(LAST)
            for first in SIBLINGS[number % len(SIBLINGS)]:
                yield self._record("siblings", f"{first} {last}", devices=(f"{mail}-console",))
            name = self._name()
            yield from (self._record("namesakes", name, email=self._email()) for _ in range(2))
            name = COMMON[number % len(COMMON)]
            yield from (self._record("common-names", name, email=self._email()) for _ in range(2))
            name, dotted = self._name(), f"{mail[:3]}.{mail[3:]}@firma.example"
            yield self._record("dots-elsewhere", name, email=f"{mail}@firma.example")
            yield self._record("dots-elsewhere", self._name(), email=dotted)
            yield self._record("plus-elsewhere", name, email=f"{mail}@werk.example")
            yield self._record("plus-elsewhere", self._name(), email=f"{mail}+b@werk.example")
            yield from (self._record("handed-on", self._name(), devices=(f"{mail}-sold",)) for _ in range(2))

    def _crowds(self) -> Iterator[Record]:
        for _ in range(A_CROWD):
            yield self._record("shop-tablet", self._name(), devices=("tablet-of-a-shop",))
            yield self._record("test-email", self._name(), email="test@firma.example")
            yield self._record("switchboard", self._name(), said_phone="+49 30 555 000")

    def _mistyped(self) -> Iterator[Record]:
        for right, wrong in MISSPELT:
            mail = self._mailbox()
            yield from self._twice("wrong-domain", {"email": f"{mail}@{right}"}, {"email": f"{mail}@{wrong}"})
            swapped = mail[:2] + mail[3] + mail[2] + mail[4:]
            yield from self._twice(
                "swapped", {"email": f"{mail}@firma.example"}, {"email": f"{swapped}@firma.example"}
            )

    def _nearly_alike(self) -> Iterator[Record]:
        for number in range(OF_EACH):
            name, mail = self._name(), self._mailbox()
            for digit in (1, 2):
                yield self._record("numbered", name, email=f"{mail}{digit}@gmail.com")
            name, (first, last) = self._name(), self._name().lower().split(" ")
            for middle in ("", "j"):
                yield self._record("initials", name, email=f"{first}{middle}.{last}@werk.example")
            last = self._chance.choice(LAST)
            for first in SIBLINGS[number % len(SIBLINGS)]:
                email = f"{first}.{last}@werk.example".lower()
                yield self._record("siblings-email", f"{first} {last}", email=email)
            mail = self._mailbox()
            for domain in NEAR_DOMAINS[number % len(NEAR_DOMAINS)]:
                yield self._record("near-domains", self._name(), email=f"{mail}@{domain}")
            last, mail = self._chance.choice(LAST), self._mailbox()
            names = self._chance.sample(FIRST, 2)
            for first, domain in zip(names, MISSPELT[number % len(MISSPELT)], strict=True):
                yield self._record("wrong-home", f"{first} {last}", email=f"{mail}@{domain}")

    def _twice(
        self, kind: str, first: dict[str, object], second: dict[str, object] | None = None
    ) -> Iterator[Record]:
        """One person, in two records; the second has the name with a typo now and then, unless it says so."""
        name = self._name()
        yield self._record(kind, name, **first)
        said = dict(first if second is None else second)
        other = said.pop("name", ...)
        again = self._misspelt(name) if other is ... else other
        self._people -= 1
        yield self._record(kind, again, **said)

    def _couple(self, kind: str, **shared: object) -> Iterator[Record]:
        last = self._chance.choice(LAST)
        for first in self._chance.sample(FIRST, 2):
            yield self._record(kind, f"{first} {last}", **shared)

    def _record(self, kind: str, name: object, **known: object) -> Record:
        self._people += 1
        self._records += 1
        return Record(kind, self._people, f"u-{self._records}", name, **known)  # type: ignore[arg-type]

    def _name(self) -> str:
        return f"{self._chance.choice(FIRST)} {self._chance.choice(LAST)}"

    def _misspelt(self, name: str) -> str:
        """Return a name as people write their own: mostly the same, or with a letter twice, one missing, in
        small letters, or the family name first."""
        place = self._chance.randrange(1, len(name) - 2)
        return self._chance.choice(
            [
                name,
                name,
                name.lower(),
                name[:place] + name[place] + name[place:],
                name[:place] + name[place + 1 :],
                ", ".join(reversed(name.split(" "))),
            ]
        )

    def _mailbox(self) -> str:
        first, last = self._name().lower().split(" ")
        return f"{first}-{last}{self._chance.randrange(10_000)}"

    def _email(self) -> str:
        return f"{self._mailbox()}@mail.example"

    def _phone(self) -> str:
        digits = f"{self._chance.randrange(10**8):08}"
        return f"+49 {digits[:3]} {digits[3:]}"
