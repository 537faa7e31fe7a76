"""URI references, their normal form, and what lies under what."""

import pytest

from gateway.base.uris import is_absolute_uri, is_uri_reference, normalise

URIS = [
    "a:",
    "urn:a:b",
    "mailto:x@go.id",
    "file:///etc/hosts",
    "http://",
    "http://u:p@host:80/a//b;c=d?e=f/g?h",
    "http://[::1]:80/",
    "http://[2001:db8::7]/c=GB?one",
    "http://[::ffff:192.0.2.1]",
    "http://[v1.x:y]/",
    "http://host:/",
    "http://%C3%A9/",
    "tel:+62-21-1",
    "x+y-z.1:/a",
]
REFERENCES = [
    "",
    "/",
    "/a/b",
    "a/b:c",
    "./a:b",
    "//host",
    "?q",
    "#",
    "#f?/:@",
    "a",
    "..",
    "/a%20b",
    "*",
]
NEITHER = [
    " ",
    "a b",
    "/a\\b",
    "/é",
    "/a%2",
    "/%gg",
    "1a:b",
    ":a",
    "a#b#c",
    "/a[b]",
    '"',
    "<a>",
    "/a^b",
    "{a}",
    "http://[::1",
    "http://[::1::2]/",
    "http://[1.2.3.4]/",
    "http://[fe80::1%25en0]/",
    "http://host:80a/",
    "http://a@b@c/",
    "//a:b:c",
    "/a\n",
]


@pytest.mark.parametrize("text", URIS)
def test_absolute_uris(text: str) -> None:
    assert is_absolute_uri(text)
    assert is_uri_reference(text)
    assert is_uri_reference(text + "#fragment")
    assert not is_absolute_uri(text + "#fragment")


@pytest.mark.parametrize("text", REFERENCES)
def test_relative_references(text: str) -> None:
    assert is_uri_reference(text)
    assert not is_absolute_uri(text)


@pytest.mark.parametrize("text", NEITHER)
def test_no_uris(text: str) -> None:
    assert not is_uri_reference(text)
    assert not is_absolute_uri(text)


# RFC 3986, section 6.2.2 (the first line) and section 5.4 (the paths of its examples, made
# absolute); the rest are spellings by which somebody might pass for another.
NORMAL = {
    "example://a/b/c/%7Bfoo%7D": ["eXAMPLE://a/./b/../b/%63/%7bfoo%7d"],
    "http://a/b/c/g": ["http://a/b/c/./g", "http://a/b/c/d/../g", "http://a:80/b/c/g"],
    "http://a/g": ["http://a/b/c/../../g", "http://a/b/c/../../../../g", "http://a/./g"],
    "http://a/b/c/": ["http://a/b/c/.", "http://a/b/c/d/..", "http://A:/b/c/./"],
    "http://a/b/c/g?y/../x": ["http://a/b/c/g?y/../x", "http://a/b/c/g?%79/../x"],
    "https://u:P@dapodik.go.id/": ["HTTPS://u:P@DAPODIK.go.ID:443/", "https://u:P@dapodik.go.id:/"],
    "https://a%2F.id:8443": ["https://%41%2f.ID:8443"],
    "http://[::ffff:1.2.3.4]/x": ["http://[::FFFF:1.2.3.4]:80/x"],
    "/korban/x": [
        "/korban/x",
        "/%6borban/x",
        "/%6Borban/%78",
        "/jahat/../korban/x",
        "/korban/%2e/x",
    ],
    "/jahat": ["/korban/../jahat", "/korban/%2E%2e/jahat", "/../jahat", "/./jahat"],
    "/": ["/.", "/..", "/a/..", "/./"],
    "/a/": ["/a/b/..", "/a/.", "/a/b/../"],
    "//korban/x": ["//KORBAN/x", "//korban:/x"],
    "/korban%2Fx": ["/korban%2fx"],
    "/Korban": ["/Korban"],
    "urn:kemdikbud:Dapodik": ["URN:Kemdikbud:Dapodik", "urn:%6bemdikbud:Dapodik"],
    "../korban": ["../korban", "../%6borban"],
    "?%25": ["?%25"],
    "#f~": ["#f%7E"],
    "": [""],
}


@pytest.mark.parametrize(
    ("text", "normal"), [(text, normal) for normal, texts in NORMAL.items() for text in texts]
)
def test_a_normal_form(text: str, normal: str) -> None:
    assert is_uri_reference(text)
    assert normalise(text).text == normal
    assert normalise(normal).text == normal


@pytest.mark.parametrize("text", URIS + REFERENCES)
def test_every_reference_has_a_normal_form(text: str) -> None:
    normal = normalise(text).text
    assert is_uri_reference(normal)
    assert normalise(normal).text == normal


def under(text: str, prefix: str) -> bool:
    steps, above = normalise(text).steps, normalise(prefix).steps
    return steps is not None and above is not None and steps[: len(above)] == above


UNDER = {
    "/korban": ["/korban", "/korban/", "/korban/x", "/korban//x", "/korban?q", "/korban#f"],
    "/korban/": ["/korban", "/korban/x/y", "/jahat/../korban"],
    "https://h.id/": ["https://h.id", "https://h.id/", "HTTPS://H.ID:443/a?b", "https://h.id?q"],
    "https://h.id/a": ["https://h.id/a", "https://h.id/a/b", "https://h.id/b/../a"],
    "urn:korban": ["urn:korban", "urn:korban:x", "URN:KORBAN:x", "urn:korban:x#f"],
}
BESIDE = {
    "/korban": [
        "/korbanx", "/korban-x", "/korban;v=1", "/korban%2Fx", "/Korban", "/KORBAN/x", "//korban",
        "//korban/x", "///korban", "/.//korban/x", "/x/../%2Fkorban", "korban", "korban/x",
        "./korban", "../korban/x", "", "?/korban", "#/korban", "/korban/../x", "/korban/..",
        "file:/korban", "x:/korban", "urn:/korban", "/korba%CC%81n", "/%2E%2E/x", "/", "/korban@x",
    ],
    "https://h.id/": [
        "http://h.id/", "https://h.id.evil.id/", "https://h.id@evil.id/", "https://evil@h.id/",
        "https://h.id:8443/", "https://h.id./", "https://h", "https:/h.id/", "https:h.id",
        "//h.id/", "https://evil.id/https://h.id/", "https://evil.id#https://h.id/",
        "https://h%2Eid.evil.id/",
    ],
    "https://h.id/a": ["https://h.id/", "https://h.id/ab", "https://h.id/a/../b", "https://h.id/A"],
    "urn:korban": ["urn:korbanx", "urn:korban/x", "urn:jahat:korban", "urn:korban:a/../../x"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("prefix", "text"), [(prefix, text) for prefix, texts in UNDER.items() for text in texts]
)
def test_what_lies_under_a_prefix(prefix: str, text: str) -> None:
    assert under(text, prefix)


@pytest.mark.parametrize(
    ("prefix", "text"), [(prefix, text) for prefix, texts in BESIDE.items() for text in texts]
)
def test_what_only_looks_as_if(prefix: str, text: str) -> None:
    assert not under(text, prefix)
