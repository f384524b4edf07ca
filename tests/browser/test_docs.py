"""An explorer with a browser and no network: signs in at /docs, tries an operation, reads on."""

import json
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as shown
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.service import PASSWORD, RunningService

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

WAIT_SECONDS = 60
# What pages carry within themselves, and the browser within itself, goes nowhere.
INNER_SCHEMES = frozenset({"data", "blob", "about", "chrome"})


def find(browser: Chrome, selector: str) -> WebElement:
    """Wait until an element is shown, and return it."""
    found: WebElement = WebDriverWait(browser, WAIT_SECONDS).until(
        shown.visibility_of_element_located((By.CSS_SELECTOR, selector))
    )
    return found


def click(browser: Chrome, selector: str) -> None:
    """Wait until an element can be clicked, and do."""
    WebDriverWait(browser, WAIT_SECONDS).until(
        shown.element_to_be_clickable((By.CSS_SELECTOR, selector))
    ).click()


def log_of(browser: Chrome, kind: str) -> list[dict[str, Any]]:
    """Return what was added to one of the browser's logs since it was last asked."""
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]  # selenium says nothing of it
    return entries


def requests_of(browser: Chrome) -> list[str]:
    """Return the address of every request the browser has made since it was last asked."""
    messages = [json.loads(entry["message"])["message"] for entry in log_of(browser, "performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def complaints_of(browser: Chrome) -> list[str]:
    """Return what the page was refused or stumbled over."""
    return [entry["message"] for entry in log_of(browser, "browser") if entry["level"] == "SEVERE"]


def foreign(addresses: list[str], service: RunningService) -> list[str]:
    """Return the addresses that lie outside the service."""
    return [
        address
        for address in addresses
        if urlsplit(address).scheme not in INNER_SCHEMES
        and not address.startswith(f"{service.url}/")
    ]


def sign_in(browser: Chrome, username: str, password: str) -> None:
    """Fill in and send the password form of the Authorize dialog."""
    click(browser, ".scheme-container button.authorize")
    find(browser, "#oauth_username").send_keys(username)
    find(browser, "#oauth_password").send_keys(password)
    form = find(browser, ".auth-container:has(#oauth_username)")
    form.find_element(By.CSS_SELECTOR, "button.authorize").click()
    find(browser, ".auth-container button[aria-label='Remove authorization']")
    click(browser, "button.btn-done")


def execute(browser: Chrome, tag: str, operation_id: str) -> tuple[int, Any]:
    """Open a tag and its operation, execute it as it stands; return the status and body shown."""
    operation = f"#operations-{tag}-{operation_id}"
    click(browser, f"#operations-tag-{tag}")
    click(browser, f"{operation} .opblock-summary-control")
    click(browser, f"{operation} button.execute")
    row = f"{operation} .live-responses-table .response"
    status = find(browser, f"{row} .response-col_status").text.split()[0]
    body = find(browser, f"{row} .response-col_description .highlight-code code").text
    return int(status), json.loads(body)


def test_the_docs_page_signs_in_and_shows_the_answer_of_an_operation(
    browser: Chrome, service: RunningService
) -> None:
    browser.get(f"{service.url}/docs")
    sign_in(browser, "clerk", PASSWORD)
    status, me = execute(browser, "sign-in", "get_me")

    assert status == 200
    assert (me["kind"], me["name"]) == ("staff", "Clerk")
    assert me["id"] == str(service.world.staff["clerk"])
    assert me["role"] == {"code": "clerk", "en": "Clerk", "zh": "店员"}
    assert me["store_ids"] == [str(service.world.stores["S01"])]
    addresses = requests_of(browser)
    assert {f"{service.url}/docs", f"{service.url}/v1/auth/token", f"{service.url}/v1/me"} <= set(
        addresses
    )
    assert foreign(addresses, service) == []
    assert complaints_of(browser) == []

    # The authorization outlives the page.
    browser.get(f"{service.url}/docs")
    assert execute(browser, "sign-in", "get_me") == (200, me)


def test_a_wrong_password_is_told_in_the_dialog(browser: Chrome, service: RunningService) -> None:
    browser.get(f"{service.url}/docs")
    click(browser, ".scheme-container button.authorize")
    find(browser, "#oauth_username").send_keys("clerk")
    find(browser, "#oauth_password").send_keys("not the password")
    form = find(browser, ".auth-container:has(#oauth_username)")
    form.find_element(By.CSS_SELECTOR, "button.authorize").click()

    assert "Unauthorized" in find(browser, ".auth-container .errors").text
    assert foreign(requests_of(browser), service) == []


def test_redoc_renders_the_document_without_the_network(
    browser: Chrome, service: RunningService
) -> None:
    browser.get(f"{service.url}/redoc")

    title = find(browser, "h1").text
    assert title.startswith("Huike 惠客")
    find(browser, "[id='tag/customers/operation/get_customer'], [id='operation/get_customer']")
    menu = find(browser, "[role='navigation'], .menu-content").text
    for tag in ("sign-in", "customers", "till events", "vocabulary"):
        assert tag in menu
    addresses = requests_of(browser)
    assert f"{service.url}/openapi.json" in addresses
    assert foreign(addresses, service) == []
    assert complaints_of(browser) == []


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_allow_nothing_but_this_service(service: RunningService, path: str) -> None:
    answer = httpx.get(f"{service.url}{path}")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "connect-src 'self'" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "https://" not in answer.text
