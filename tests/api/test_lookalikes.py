"""How many of the pairs that are listed are one person, and how many of those are listed: measured on people
who were made up before anything looked for them, by calls alone."""

from tests.support.measuring import as_markdown, fill, listed, measured
from tests.support.pages import Page

# By signal: the share of its pairs that are one person, and the share of the pairs of its kinds that are
# listed, are no less than that.
FLOORS = {
    "same-email": (0.9, 1.0),
    "email-variant": (1.0, 1.0),
    "same-contact": (1.0, 1.0),
    "mistyped-email": (1.0, 0.8),
    "store-account": (0.9, 0.9),
    "same-phone": (0.8, 1.0),
    "shared-device": (0.5, 0.9),
}


def test_pairs_of_a_made_population_are_found_as_well_as_the_page_says(tenant, sound):
    people = fill(tenant)

    pairs = list(listed(tenant))

    found = measured(people, pairs)
    table = as_markdown(found)
    for signal, floors in FLOORS.items():
        pairs_of_it, right, there, seen = found[signal]
        assert right / pairs_of_it >= floors[0], signal
        assert seen / there >= floors[1], signal
    assert [pair["score"] for pair in pairs] == sorted((pair["score"] for pair in pairs), reverse=True)
    assert not {people[user].kind for pair in pairs for user in pair["users"]} & {
        "namesakes", "common-names", "dots-elsewhere", "plus-elsewhere", "shop-tablet", "test-email",
        "switchboard", "typo", "swapped", "numbered", "initials", "siblings-email", "near-domains",
        "wrong-home",
    }  # fmt: skip
    assert Page("docs/duplicates.md").marked("measured") == table, f"it has to be:\n{table}"
