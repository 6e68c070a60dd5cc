"""Usher decides who is talking to a support desk, and shows each of them their own conversations.

The map of the house:

    app.py           create_app(config): the wiring, the only module that knows all layers
    cli.py           python -m service …: migrate, spread, apps create, keys create, work, live, check,
                     tidy, backup, restore, export, import
    console/         pages for agents, on the same use cases
    server/          what gunicorn needs beside the settings in gunicorn.conf.py
    work/            what happens after: deliveries to webhooks, the index of searches, comparing, tidying,
                     files of people
    moving/          a whole app into a file, and out of one; people out of what other desks export
    live/            tells who follows that something is new
    api/             the HTTP layer: parse, ask once, render
    desk/            the use cases: each one transaction, each one short story
    rules/           THE RULEBOOK: decision tables as data, pure. Start reading here
    store/           the database layer: takes and returns values of the model
    proofs.py        is this claim signed?
    files/           where the bytes of files are: a folder, or an S3-compatible bucket
    strict_json.py   JSON without what JSON leaves open
    encryption.py    identity secrets at rest, and files with a key of their own
    config.py        the settings, read from the environment once
    logs.py          JSON lines on standard output, without personal data
    metrics.py       what /metrics counts
    admission.py     who waits with whom when more is asked than can be served
    threads.py       what a thread knows of the request that it serves: how long it waited, is its body there;
                     and which thread runs
    model/           frozen values that travel between layers, identifiers, and what can go wrong
    texts.py         what of a text can be seen, and where it may be cut
    times.py         what time it is, and how a time is written

Imports only go down:
app, cli → console, live, server, work → moving → api → desk → store | rules, proofs
→ encryption, strict_json, config, files → logs, metrics, threads, admission → model → texts, times.
"""
