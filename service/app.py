"""The wiring: the only module that knows all layers."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from service import admission, logs, metrics
from service.api import (
    apps,
    attachments,
    contacts,
    conversations,
    demo,
    duplicates,
    events,
    logins,
    merges,
    openapi,
    operations,
    problems,
    purchases,
    revenuecat,
    users,
    webhooks,
    widget,
)
from service.api.context import NAME, Context
from service.api.headers import Secured
from service.api.middleware import Usher
from service.config import Config
from service.console import pages
from service.encryption import IDENTITY_SECRETS, WEBHOOK_SECRETS, Encryption
from service.model.errors import StoreUnavailable
from service.store.migrating import Schema
from service.store.opening import open_store


def create_app(config: Config) -> Flask:
    """Make the application.

    Raises BadSettings if the journal cannot be written, and OldSchema if the store's schema is not current.
    With the store away it starts all the same, answers 503, and looks at the schema when the store is back.
    """
    store = open_store(config)
    database = store.database
    schema = Schema(database)
    try:
        schema.require()
    except StoreUnavailable:
        logs.get_logger().warning("store unavailable at the start")
    finally:
        # Nothing that was opened here may be used on the other side of a fork.
        database.close()
    app = Usher("usher", static_folder=None)
    # A redirect to the path without its second slash would repeat the URL in a page of HTML.
    app.url_map.merge_slashes = False
    identity, webhook = (Encryption(config.secret_key, of) for of in (IDENTITY_SECRETS, WEBHOOK_SECRETS))
    app.extensions[NAME] = Context(config, store, schema, identity, webhook)
    if config.trusted_hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.trusted_hops)  # type: ignore[method-assign]
    admission.count = metrics.request_refused
    app.wsgi_app = Secured(app.wsgi_app)  # type: ignore[method-assign]
    problems.register(app)
    app.register_blueprint(operations.pages)
    app.register_blueprint(widget.pages)
    app.register_blueprint(revenuecat.api)
    if config.demo_keys:
        app.register_blueprint(demo.pages)
    pages.register(app)
    of_people = logins, contacts, conversations, attachments, users, duplicates, merges, purchases
    for resource in (*of_people, events, webhooks, apps, operations):
        app.register_blueprint(resource.api)
    openapi.register(app)
    return app
