"""Which addresses lead to one mailbox? As far as anybody can know (docs/duplicates.md)."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Provider:
    """How a provider of mailboxes reads addresses: ``domain`` is the one that stands for all of its own. All
    of these leave out what stands after a plus; some leave out dots too."""

    domain: str
    ignores_dots: bool = False


_GMAIL = Provider("gmail.com", ignores_dots=True)
_ICLOUD = Provider("icloud.com")
_PROTON = Provider("proton.me", ignores_dots=True)
# Of any other domain nobody knows, so there every address is a mailbox of its own.
PROVIDERS: Mapping[str, Provider] = {
    "gmail.com": _GMAIL,
    "googlemail.com": _GMAIL,
    "icloud.com": _ICLOUD,
    "me.com": _ICLOUD,
    "mac.com": _ICLOUD,
    "proton.me": _PROTON,
    "protonmail.com": _PROTON,
    "pm.me": _PROTON,
    "fastmail.com": Provider("fastmail.com"),
    "hotmail.com": Provider("hotmail.com"),
    "live.com": Provider("live.com"),
    "outlook.com": Provider("outlook.com"),
}

# How people mistype the domains of large providers: letters swapped, left out, twice, or one beside the right
# one on a keyboard. Nobody has mailboxes at any of these.
_MISTYPED: Mapping[str, str] = {
    "gmail.com": "gmial.com gamil.com gmai.com gmal.com gmil.com gmaill.com ggmail.com gmali.com gnail.com"
    " gmsil.com gmail.con gmail.cmo",
    "hotmail.com": "hotmial.com hotmai.com hotmal.com hotmil.com hotmaill.com hotamil.com hotnail.com"
    " hotmail.con hotmail.cmo",
    "outlook.com": "outlok.com outloo.com outloook.com outllok.com outlook.con outlook.cmo",
    "icloud.com": "iclod.com icoud.com iclould.com icluod.com icloud.con icloud.cmo",
    "yahoo.com": "yaho.com yahooo.com yhaoo.com yahoo.con yahoo.cmo",
}
MISTYPED: Mapping[str, str] = {
    mistyped: domain for domain, several in _MISTYPED.items() for mistyped in several.split()
}


def is_mistyped(key: str, other: str) -> bool:
    """Return whether one of two emails that lead to one mailbox does so as its domain is mistyped."""
    domain, other_domain = (one.rsplit("@", 1)[1] for one in (key, other))
    return domain != other_domain and not MISTYPED.keys().isdisjoint((domain, other_domain))


def mailbox(key: str) -> str:
    """Return the one address that stands for all that lead to the mailbox of an email, by its comparison key,
    as far as anybody can know. For people to look at: no login is decided by it."""
    local, domain = key.rsplit("@", 1)
    local, domain = local.casefold(), MISTYPED.get(domain, domain)
    provider = PROVIDERS.get(domain)
    if provider is None:
        return f"{local}@{domain}"
    plain = local.split("+")[0]
    if provider.ignores_dots:
        plain = plain.replace(".", "")
    return f"{plain or local}@{provider.domain}"
