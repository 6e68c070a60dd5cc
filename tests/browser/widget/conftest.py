"""The widget in the page of a shop, on somebody's phone."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.support.browser_watch import Watch
from tests.support.phones import Phone, Site, site
from tests.support.servers import Server
from tests.support.tenants import Tenant


@pytest.fixture(scope="module")
def shop(server: Server) -> Iterator[Site]:
    with site(server.url) as shop:
        yield shop


@pytest.fixture
def tenant(server: Server, shop: Site, watch: Watch) -> Tenant:
    watch.origins.add(shop.url)
    return server.tenant(origins=[shop.url])


@pytest.fixture
def new_phone(new_context: Callable[..., BrowserContext], shop: Site, tenant: Tenant) -> Callable[..., Phone]:
    return lambda **options: Phone(new_context(**options), shop, tenant.pk).visit()


@pytest.fixture
def phone(new_phone: Callable[[], Phone]) -> Phone:
    return new_phone()
