"""The seven rules over HTTP, each answer naming its rule."""


def test_says_known_user_id_and_replaces_the_email(tenant):
    tenant.login(userId="u-17", email="jane@old.example")

    again = tenant.login(userId="u-17", email="Jane@new.example")

    assert again["resolution"]["rule"] == "known-user-id"
    assert again["resolution"]["changes"] == ["email"]
    assert again["user"]["email"] == "Jane@new.example"
    assert again["created"] is False
