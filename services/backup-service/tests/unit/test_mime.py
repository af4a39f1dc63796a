"""Mail is read as a mail program would read it; nothing that lies in a mailbox may stop a restore or an export."""

import base64
import quopri
from email.header import Header
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup_service.domain import mail_digest
from backup_service.domain.graph_message import Tags, new_message
from backup_service.domain.mime import parse

PARTS = st.sampled_from(
    [
        b"Subject: =?utf-8?q?caf=C3=A9?=",
        b"Subject: =?utf-7?q?+2AA-?=",
        b"Subject: =?unicode_escape?q?=5Cud800?=",
        b"Subject: =?idna?q?=FF=FE?=",
        b"Subject: =?undefined?q?x?=",
        b"Subject: =?utf-8?b?a?= =?utf-8?b?abcde?=",
        b"Subject: caf\xc3\xa9 \xff",
        b"From: =?utf-8?b?!!!?= <a@x>",
        b'To: "a, b" <a@x>, (c) d@y; group: e@z;',
        b"To: \xff\xfe <\xff@x>",
        b"Content-Type: text/plain; charset=idna",
        b'Content-Type: text/plain; charset="a\x00b"',
        b"Content-Type: text/html; charset=utf-7",
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: multipart/mixed",
        b"Content-Type: message/rfc822",
        b"Content-Type: message/delivery-status",
        b"Content-Type: application/x; name*0*=utf-8''%E4; name*1=x",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-Transfer-Encoding: x-uuencode",
        b"Content-Disposition: attachment; filename*=idna''%FF",
        b"Content-Disposition: inline",
        b"Content-ID: <\xff>",
        b"Message-ID: <\xff>",
        b"",
        b"--b",
        b"--b--",
        b"begin 644 x",
        b"+2AA-",
        b"=?utf-8?q?",
    ]
)
LINES = st.lists(st.one_of(PARTS, st.binary(max_size=20)), max_size=25)
MAILS = st.one_of(st.binary(max_size=300), st.builds(b"\r\n".join, LINES), st.builds(b"\n".join, LINES))
SIDECARS = st.fixed_dictionaries(
    {},
    optional={
        "sentDateTime": st.sampled_from(["2026-03-02T07:59:00Z", "2026-03-02T07:59:00.1234567Z", None, ""]),
        "isRead": st.booleans(),
        "flag": st.sampled_from([None, {}, {"flagStatus": "flagged"}]),
        "categories": st.sampled_from([None, [], ["Blue"]]),
    },
)


def encodable(text: Any) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in str(text))


@settings(max_examples=200, deadline=None)
@given(raw=MAILS, sidecar=SIDECARS)
def test_any_bytes_can_be_read_compared_and_sent(raw: bytes, sidecar: dict[str, Any]) -> None:
    mail = parse(raw)
    assert encodable(mail)
    facts = mail_digest.facts(raw, sidecar, ("Inbox",))
    assert mail_digest.differences(facts, mail_digest.facts(raw, sidecar, ("Inbox",))) == []
    assert len(mail_digest.digest(facts)) == 64
    assert encodable(new_message(mail, sidecar, Tags("tag", "item")).body)


def nested(depth: int) -> bytes:
    heads = [f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}".encode() for n in range(depth)]
    return b"Subject: deep\r\n" + b"\r\n".join(heads) + b"\r\n\r\nbody\r\n"


def rfc822(depth: int) -> bytes:
    return b"Subject: deep\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * depth + b"body\r\n"


@pytest.mark.parametrize("raw", [nested(60), nested(3000), rfc822(60), rfc822(3000)])
def test_endless_nesting_does_not_stop_a_restore(raw: bytes) -> None:
    assert parse(raw).subject == "deep"
    mail_digest.facts(raw, {}, ())


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)


def mail(subject: bytes, encoding: bytes, charset: bytes, body: bytes, newline: bytes = b"\r\n") -> bytes:
    lines = [
        b"From: Anna <anna@contoso.example>",
        b"Subject: " + subject,
        b"Content-Type: text/plain; charset=" + charset,
        b"Content-Transfer-Encoding: " + encoding,
        b"",
        body,
    ]
    return newline.join(lines)


@given(body=TEXTS, subject=TEXTS)
def test_digest_does_not_depend_on_the_encoding(body: str, subject: str) -> None:
    text, words = body.encode(), " ".join(subject.split())
    encoded_subject = Header(words, "utf-8", maxlinelen=10_000).encode().encode()
    forms = [
        mail(words.encode(), b"8bit", b"utf-8", text),
        mail(encoded_subject, b"base64", b"utf-8", base64.encodebytes(text)),
        mail(encoded_subject, b"quoted-printable", b"utf-8", quopri.encodestring(text)),
        mail(encoded_subject, b"base64", b"utf-16", base64.encodebytes(body.encode("utf-16"))),
        mail(words.encode(), b"8bit", b"utf-8", text + b"\n", newline=b"\n"),
    ]
    digests = {mail_digest.digest(mail_digest.facts(form, {}, ())) for form in forms}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\n", "Grüße"),
        (b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\n", "Grüße"),
        (b"Subject: Gr\xfc\xdfe\r\n\r\n", "Grüße"),
        (b"Subject: \xe2\x82\xac 5 =?utf-8?q?f=C3=BCr?= alle\r\n\r\n", "€ 5 für alle"),
        (b"Subject: two\r\n lines\r\n\r\n", "two lines"),
        (b"Subject: =?utf-8?q?one?=\r\n =?utf-8?q?_word?=\r\n\r\n", "one word"),
        (b"\r\nno header at all", ""),
    ],
)
def test_subject_as_people_see_it(raw: bytes, subject: str) -> None:
    assert parse(raw).subject == subject


def test_people_keep_commas_inside_encoded_names() -> None:
    raw = b"To: =?utf-8?q?M=C3=BCller=2C_Eva?= <eva@x>, Bert <bert@x>\r\nCc: \xc3\x84nne <a@x>\r\n\r\n"
    assert parse(raw).to == (("Müller, Eva", "eva@x"), ("Bert", "bert@x"))
    assert parse(raw).cc == (("Änne", "a@x"),)


def test_one_malformed_recipient_does_not_hide_the_others() -> None:
    raw = b"To: Eva <eva@x>, <<broken@@y>, bert@x, (\r\n\r\n"
    assert {"eva@x", "bert@x"} <= {address for _, address in parse(raw).to}


def test_malformed_nested_mail_keeps_its_content() -> None:
    raw = (
        b"Content-Type: message/rfc822\r\n\r\n"
        b"Subject: inner\r\nContent-Type: multipart/mixed; charset=x\r\n\r\n8 bit \xff without a part\r\n"
    )
    (inner,) = parse(raw).attachments
    assert b"8 bit \xff without a part" in inner.content
    assert parse(inner.content).subject == "inner"


def test_html_wins_and_files_are_attachments() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\n"
        b"Content-Type: multipart/alternative; boundary=i\r\n\r\n"
        b"--i\r\nContent-Type: text/plain\r\n\r\nplain\r\n"
        b"--i\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n--i--\r\n"
        b"--o\r\nContent-Type: text/plain; name=notes.txt\r\nContent-Disposition: attachment\r\n\r\nnotes\r\n"
        b"--o\r\nContent-Type: image/png\r\nContent-ID: <logo>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBO\r\n"
        b"--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner body\r\n--o--\r\n"
    )
    mail_ = parse(raw)
    assert (mail_.is_html, mail_.body.strip()) == (True, "<b>html</b>")
    files = [(a.content_type, a.name, a.inline) for a in mail_.attachments]
    assert ("text/plain", "notes.txt", False) in files
    assert ("image/png", "attachment-2.bin", True) in files
    inner = next(a for a in mail_.attachments if a.content_type == "message/rfc822")
    assert parse(inner.content).subject == "inner"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"isRead": True}, ["read"]),
        ({"isDraft": True}, ["draft"]),
        ({"flag": {"flagStatus": "flagged"}}, ["flag"]),
        ({"categories": ["Blue"]}, ["categories"]),
        ({"receivedDateTime": "2026-03-02T08:00:01Z"}, ["received"]),
        ({"receivedDateTime": "2026-03-02T09:00:00+01:00"}, []),
        ({"receivedDateTime": "2026-03-02T08:00:00.4999999Z"}, []),
    ],
)
def test_digest_names_what_differs(change: dict[str, Any], named: list[str]) -> None:
    sidecar = {"receivedDateTime": "2026-03-02T08:00:00Z"}
    raw = b"Subject: s\r\n\r\nb"
    expected = mail_digest.facts(raw, sidecar, ("Inbox",))
    assert mail_digest.differences(expected, mail_digest.facts(raw, sidecar | change, ("Inbox",))) == named


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (b"Subject: s2\r\nTo: a@x\r\n\r\nb", ["subject"]),
        (b"Subject: s\r\nTo: c@x\r\n\r\nb", ["to"]),
        (b"Subject: s\r\nTo: A@X\r\n\r\nb \r\n\r\n", []),
        (b"Subject: s\r\nTo: a@x\r\n\r\nB", ["body"]),
        (b"Subject: s\r\nTo: a@x\r\nContent-Type: text/html\r\n\r\nb", ["html"]),
        (b"Subject: s\r\nTo: a@x\r\nContent-Type: application/x\r\n\r\nb", ["attachments", "body"]),
    ],
)
def test_digest_sees_the_content(raw: bytes, named: list[str]) -> None:
    expected = mail_digest.facts(b"Subject: s\r\nTo: a@x\r\n\r\nb", {}, ())
    assert mail_digest.differences(expected, mail_digest.facts(raw, {}, ())) == named


def test_an_address_that_is_not_ascii_reads_the_same_raw_and_encoded() -> None:
    person = (("Jöhn Doe", "jdöe@mächine.example"),)
    raw = "From: Jöhn Doe <jdöe@mächine.example>\r\n\r\n".encode()
    encoded = b"From: =?utf-8?b?SsO2aG4gRG9lIDxqZMO2ZUBtw6RjaGluZS5leGFtcGxlPg==?=\r\n\r\n"
    assert parse(raw).sender == parse(encoded).sender == person
