"""Contacts as vCard 4.0 (RFC 6350), written from Graph's JSON.

A writer of our own: vobject, the library for vCards, writes the properties of 3.0 whatever VERSION says, and escapes
the data URI of a picture so that nobody can read it.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

_OCTETS = 75
"""The longest line, without its end."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ESCAPES = {"\\": "\\\\", "\n": "\\n", ",": "\\,", ";": "\\;"}
_SPECIAL = re.compile(r"[\\\n,;]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_NO_YEAR = ("0001", "1604")
"""What Outlook and Apple write for a birthday without a year."""
_TEXTS = (
    ("NICKNAME", "nickName"),
    ("TITLE", "jobTitle"),
    ("ROLE", "profession"),
    ("NOTE", "personalNotes"),
    ("X-MS-FILE-AS", "fileAs"),
    ("X-INITIALS", "initials"),
    ("X-OFFICE-LOCATION", "officeLocation"),
    ("X-PHONETIC-FIRST-NAME", "yomiGivenName"),
    ("X-PHONETIC-LAST-NAME", "yomiSurname"),
    ("X-PHONETIC-ORG", "yomiCompanyName"),
    ("X-MANAGER", "manager"),
    ("X-ASSISTANT", "assistantName"),
    ("RELATED;VALUE=text;TYPE=spouse", "spouseName"),
)
_ADDRESSES = (("ADR;TYPE=work", "businessAddress"), ("ADR;TYPE=home", "homeAddress"), ("ADR", "otherAddress"))


def contact_card(contact: Json, photo: bytes | None = None, photo_type: str = "") -> bytes:
    """One personal contact, with its picture if there is one."""
    lines = [*_names(contact), *_reached(contact), *_about(contact)]
    if photo is not None:
        # A URI: neither comma nor semicolon is escaped in it.
        lines.append(f"PHOTO:data:{photo_type};base64,{base64.b64encode(photo).decode()}")
    return _card(lines)


def directory_card(entry: Json, members: Iterable[str] = ()) -> bytes:
    """One entry of the tenant's address book: a user, an organisational contact, or a group with its members' ids."""
    kind = "group" if "groupTypes" in entry else "individual"
    street = {
        "street": entry.get("streetAddress"),
        "city": entry.get("city"),
        "state": entry.get("state"),
        "postalCode": entry.get("postalCode"),
        "countryOrRegion": entry.get("country"),
    }
    addresses = [street, *(entry.get("addresses") or ())]
    phones = [*(phone.get("number") for phone in entry.get("phones") or ()), *(entry.get("businessPhones") or ())]
    contact = {
        **entry,
        "emailAddresses": [{"address": address} for address in _mail_addresses(entry)],
        "businessPhones": phones,
        "businessAddress": addresses[0] if any(street.values()) or len(addresses) == 1 else addresses[1],
        "personalNotes": entry.get("description"),
    }
    urns = [f"MEMBER:urn:uuid:{member}" for member in members]
    return _card([f"KIND:{kind}", *_names(contact), *_reached(contact), *_about(contact), *urns])


def _mail_addresses(entry: Json) -> list[str]:
    """The primary address first, then the others it is reached by."""
    others = (address.partition(":")[2] for address in entry.get("proxyAddresses") or () if _is_smtp(address))
    return list(dict.fromkeys(filter(None, (entry.get("mail"), *others))))


def _is_smtp(address: str) -> bool:
    return address.lower().startswith("smtp:")


def _names(contact: Json) -> Iterator[str]:
    mails = [str(each.get("address") or "") for each in contact.get("emailAddresses") or ()]
    candidates = (contact.get("displayName"), contact.get("fileAs"), contact.get("companyName"), *mails, "?")
    yield f"FN:{_text(next(filter(None, candidates)))}"
    parts = [contact.get(name) for name in ("surname", "givenName", "middleName", "title", "generation")]
    if any(parts):
        yield f"N:{_fields(parts)}"
    if contact.get("companyName") or contact.get("department"):
        department = contact.get("department")
        yield f"ORG:{_fields([contact.get('companyName'), *([department] if department else [])])}"
    for name, source in _TEXTS:
        if contact.get(source):
            yield f"{name}:{_text(contact[source])}"
    for child in contact.get("children") or ():
        yield f"RELATED;VALUE=text;TYPE=child:{_text(child)}"


def _reached(contact: Json) -> Iterator[str]:
    """Mail, telephones, addresses, chats: the first of several mail addresses is the preferred one."""
    mails = [str(each["address"]) for each in contact.get("emailAddresses") or () if each.get("address")]
    for number, address in enumerate(mails):
        preferred = ";PREF=1" if number == 0 and len(mails) > 1 else ""
        yield f"EMAIL{preferred}:{_text(address)}"
    phones = [("cell", contact.get("mobilePhone"))]
    phones += [("work", phone) for phone in contact.get("businessPhones") or ()]
    phones += [("home", phone) for phone in contact.get("homePhones") or ()]
    for kind, phone in phones:
        if phone:
            yield f"TEL;TYPE={kind}:{_text(phone)}"
    for name, source in _ADDRESSES:
        place: Json = contact.get(source) or {}
        if any(place.values()):
            where = [place.get(part) for part in ("street", "city", "state", "postalCode", "countryOrRegion")]
            yield f"{name}:{_fields(['', '', *where])}"
    for chat in contact.get("imAddresses") or ():
        yield f"IMPP:{_uri(chat if _SCHEME.match(chat) else f'im:{chat}')}"
    if contact.get("businessHomePage"):
        yield f"URL:{_uri(contact['businessHomePage'])}"


def _about(contact: Json) -> Iterator[str]:
    if (found := _DAY.match(str(contact.get("birthday") or ""))) is not None:
        year, month, day = found.groups()
        yield f"BDAY:{'--' if year in _NO_YEAR else year}{month}{day}"
    if contact.get("categories"):
        yield f"CATEGORIES:{','.join(_text(category) for category in contact['categories'])}"
    if contact.get("lastModifiedDateTime"):
        yield f"REV:{re.sub('[-:]', '', str(contact['lastModifiedDateTime'])).partition('.')[0].rstrip('Z')}Z"
    if contact.get("id"):
        yield f"UID:{_text(contact['id'])}"


def _card(lines: Iterable[str]) -> bytes:
    whole = ("BEGIN:VCARD", "VERSION:4.0", "PRODID:-//Tenantkeep//EN", *lines, "END:VCARD")
    return b"".join(_folded(line) for line in whole)


def _folded(line: str) -> bytes:
    """The line in pieces of 75 octets, cut between characters, each but the first begun by a blank."""
    left, pieces = line.encode(), list[bytes]()
    while len(left) > _OCTETS - bool(pieces):
        end = _OCTETS - bool(pieces)
        while left[end] & 0xC0 == 0x80:  # noqa: PLR2004 - a byte inside a character of UTF-8
            end -= 1
        pieces.append(left[:end])
        left = left[end:]
    return b"\r\n ".join([*pieces, left]) + b"\r\n"


def _fields(values: Iterable[object]) -> str:
    return ";".join(_text(value) for value in values)


def _text(value: object) -> str:
    text = "" if value is None else str(value)
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text)


def _uri(value: str) -> str:
    return _CONTROL.sub("", value).replace("\r", "").replace("\n", "").strip()
