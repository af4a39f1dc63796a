import base64
import random
from collections.abc import Callable

import pytest

from backup_engine.mime_cut import cut
from backup_engine.recipe import BLOB_MAX, divide

TEXT = base64.encodebytes(random.Random(7).randbytes(6000))


def parts(body: bytes) -> list[bytes]:
    spans = cut(body)
    assert b"".join(body[span.start : span.end] for span in spans) == body
    return [body[span.start : span.end] for span in spans if span.part]


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
@pytest.mark.parametrize(
    "header",
    [b"Content-Transfer-Encoding: base64", b"content-transfer-encoding:BASE64", b"CONTENT-TRANSFER-ENCODING: \tbase64"],
)
def test_an_attachment_becomes_a_part_with_its_text_verbatim(newline: bytes, header: bytes) -> None:
    text = TEXT.replace(b"\n", newline)
    body = newline.join(
        [b"Subject: s", b"", b"--x", header, b'Content-Disposition: attachment; filename="a"', b"", b""]
    )
    assert parts(body + text + b"--x--" + newline) == [text]


def test_the_same_attachment_in_two_mails_is_the_same_part(mail: Callable[..., bytes]) -> None:
    assert parts(mail(1, attachment=5)) == parts(mail(2, attachment=5)) != parts(mail(2, attachment=6))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0" * 10_000,
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: base64\r\n\r\nshort\r\n--x",
        b"the word base64\r\n\r\n" + TEXT,
        b"Content-Transfer-Encoding: base64\r\nno blank line " + b"x" * 9000,
    ],
)
def test_what_is_no_attachment_stays_in_one_piece(body: bytes) -> None:
    assert parts(body) == []


def test_without_a_closing_boundary_the_part_ends_with_the_mail() -> None:
    assert parts(b"Content-Transfer-Encoding: base64\r\n\r\n" + TEXT) == [TEXT]


def test_attachments_of_a_forwarded_mail_are_found_inside_it(mail: Callable[..., bytes]) -> None:
    inner = mail(1, attachment=3)
    body = b"--o\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"--o\r\n" + mail(2, attachment=4)
    assert len(parts(body)) == 2


def test_large_pieces_are_sliced() -> None:
    body = random.Random(1).randbytes(2 * BLOB_MAX + 5)
    division = divide(body)
    assert [len(blob) for blob in division.blobs] == [BLOB_MAX, BLOB_MAX, 5]


def test_a_skeleton_larger_than_a_blob_is_put_together_again() -> None:
    text = base64.encodebytes(random.Random(2).randbytes(BLOB_MAX))  # itself longer than one blob
    body = (
        b"a" * (BLOB_MAX - 3) + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + text + b"--x\r\n" + b"z" * BLOB_MAX
    )
    division = divide(body)
    joined = b"".join(division.blobs[s.blob][s.offset : s.offset + s.length] for s in division.slices)
    assert joined == body
    assert max(len(blob) for blob in division.blobs) <= BLOB_MAX
