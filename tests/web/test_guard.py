"""Who is answered: the page of this server, for the user who started it."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

FOREIGN_HOSTS = ("evil.example", "evil.example:4321", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:4321", "")
FOREIGN_ORIGINS = ("http://evil.example", "null", "http://127.0.0.1:80", "https://127.0.0.1:4321", "")
READ, CHANGE = "/api/start", "/api/training/stop"


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_refused(client: TestClient, host: str) -> None:
    assert client.get(READ, headers={"host": host}).status_code == 403
    assert client.post(CHANGE, json={}, headers={"host": host}).status_code == 403


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_foreign_origin_is_refused(client: TestClient, origin: str) -> None:
    assert client.get(READ, headers={"origin": origin}).status_code == 403
    answer = client.post(CHANGE, json={}, headers={"origin": origin})
    assert answer.status_code == 403
    assert answer.text.startswith("Refused: ")


def test_a_change_without_an_origin_is_refused_and_reading_is_not(client: TestClient) -> None:
    del client.headers["origin"]
    assert client.get(READ).status_code == 200
    assert client.post(CHANGE, json={}).status_code == 403
    assert client.request("DELETE", "/api/files/x").status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_the_browser_says_comes_from_another_site_is_refused(client: TestClient, site: str) -> None:
    assert client.get(READ, headers={"sec-fetch-site": site}).status_code == 403
    assert client.get(READ, headers={"sec-fetch-site": "same-origin"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/?token=", READ, "/static/ui.css"])
def test_without_the_secret_nothing_is_answered(stranger: TestClient, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert "nncodec ui" in answer.text


def test_the_secret_leaves_the_address_for_a_cookie_that_scripts_and_other_sites_do_not_get(
    stranger: TestClient,
) -> None:
    answer = stranger.get("/?token=the%20secret", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert stranger.get("/").status_code == 200
    assert stranger.get("/", headers={"cookie": "nncodec-4321=wrong"}).status_code == 403


def test_every_answer_forbids_what_comes_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/static/main.js", READ, "/api/files/none/picture"):
        policy = client.get(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'")
        assert "unsafe" not in policy
        assert client.get(path).headers["x-content-type-options"] == "nosniff"
