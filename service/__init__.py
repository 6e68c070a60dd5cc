"""Usher decides who is talking to a support desk, and shows each of them their own conversations.

The map of the house:

    app.py           create_app(config): the wiring, the only module that knows all rooms
    cli.py           python -m service …: migrate, apps create, keys create
    console/         pages for agents, on the same use cases
    api/             the HTTP room: parse, ask once, render
    desk/            the use cases: each one transaction, each one short story
    rules/           THE RULEBOOK: decision tables as data, pure. Start reading here
    store/           the database room: speaks nouns at its door
    identifiers.py   what a user ID, an email, a name is, and its comparison key
    texts.py         what of a text can be seen, and where it may be cut
    proofs.py        is this claim signed?
    strict_json.py   JSON without what JSON leaves open
    encryption.py    identity secrets at rest
    nouns.py         frozen dataclasses that travel between rooms
    config.py        the settings, read from the environment once
    logs.py          JSON lines on standard output, without personal data
    metrics.py       what /metrics counts
    threads.py       the threads that serve requests, and how long each request waited for one
    errors.py        what can go wrong, in the words of the domain
    times.py         what time it is, and how a time is written
    frozen.py        frozen dataclasses that are made as fast as others

Imports only go down:
app, cli → console → api → desk → store | rules → identifiers, nouns, config → logs, metrics
→ errors, texts, times, frozen.
"""
