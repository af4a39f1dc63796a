import email
import email.policy
import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph_simulator import messages, mime_parts, mime_properties
from graph_simulator.attachments import AttachmentKind, attachments_of
from graph_simulator.database import open_database, transaction
from graph_simulator.directory import Tenant
from graph_simulator.messages import Arrival
from graph_simulator.seed.generator import MailGenerator
from graph_simulator.seed.load import Mailboxes
from graph_simulator.times import now

FRAGMENT = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: message/rfc822\n",
        b'Content-Type: text/html; charset="x-unknown"\n',
        b"Content-Type: text/plain; charset=unicode_escape\n\n\\ud800",
        b"Subject: =?unicode_escape?q?=5Cud800?= =?idna?b?/w==?=\n",
        b"Content-Type: text/plain; charset=idna\n",
        b"Message-ID: \x00<\xe4@b>\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Disposition: attachment; filename*=utf-8''%ff\r\n",
        b"From: =?utf-8?b?broken?= <a@b>, ,\n",
        b"Date: Mon, 99 Foo 2026 99:99:99 +9999\n",
        b"Subject: \xff\xfe=?x?q?y?=\n",
        b"\r\n",
        b"\n",
        b"--b\r\n",
        b"--b--\r\n",
        b"QUJD=\r\n",
        b"text",
    ]
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    connection = open_database(tmp_path_factory.mktemp("state"))
    yield connection
    connection.close()


@given(st.lists(st.one_of(FRAGMENT, st.binary(max_size=20)), max_size=25).map(b"".join))
def test_any_bytes_can_be_stored_and_come_back(database: sqlite3.Connection, raw: bytes) -> None:
    with transaction(database):
        mailbox = Mailboxes(database, Tenant("t", "t", "t.example"))
        folder, _ = mailbox.folder("anna", ("inbox",))
        pk = messages.insert(database, mailbox.user("anna"), folder, messages.from_mime(raw, Arrival(now())))
    assert messages.mime_of(database, pk) == raw
    assert messages.body_of(database, pk)["contentType"] in ("text", "html")
    for attachment in attachments_of(database, pk):
        if attachment.kind is AttachmentKind.ITEM:
            attachment.item()


def test_raw_8_bit_headers_are_read_as_utf_8_or_latin_1() -> None:
    for charset in ("utf-8", "latin-1"):
        headers = mime_parts.parse_headers("Subject: Größe\nFrom: Jürgen <j@b.example>\n\n".encode(charset))
        assert headers["subject"] == "Größe"
        assert mime_properties.recipients(headers, "from")[0]["emailAddress"]["name"] == "Jürgen"


def test_generated_mail_is_read_as_the_standard_parser_reads_it() -> None:
    generator = MailGenerator(11, "contoso.example", ["anna.gross"])
    for mail in generator.mails(150):
        theirs = email.message_from_bytes(mail.raw, policy=email.policy.default)
        ours = mime_parts.parse(mail.raw)
        leaves = [
            part for part in theirs.walk() if not part.is_multipart() or part.get_content_type() == "message/rfc822"
        ]
        nested = [part for part in leaves if part.get_content_type() == "message/rfc822"]
        top = [leaf.content_type for leaf in ours.leaves()]
        if not nested:
            assert top == [part.get_content_type() for part in leaves]
            decoded = [leaf.decode(mail.raw) for leaf in ours.leaves()]
            assert [b.rstrip() for b in decoded] == [part.get_payload(decode=True).rstrip() for part in leaves]
        else:
            assert top.count("message/rfc822") == 1
        properties = mime_properties.read(mail.raw)
        assert properties.summary["subject"] == theirs["subject"]
        assert properties.internet_id == (theirs["message-id"] or "")


def test_reply_and_original_share_a_conversation() -> None:
    first = mime_properties.read(b"Subject: Angebot\n\nx")
    second = mime_properties.read(b"Subject: AW: Re: Angebot\n\ny")
    assert first.summary["conversationId"] == second.summary["conversationId"]


def test_html_previews_show_no_styles() -> None:
    raw = b"Content-Type: text/html\n\n<head><style>p{}</style></head><p>Gr&uuml;&szlig;e<br>aus   Bonn"
    assert mime_properties.read(raw).summary["bodyPreview"] == "Grüße aus Bonn"
