"""Invent contacts and put them into mailboxes; the same seed writes the same contacts."""

import base64
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from graph_simulator import contacts
from graph_simulator.contacts import Json
from graph_simulator.seed import texts
from graph_simulator.seed.load import Mailboxes, batched

FOLDERS: tuple[tuple[tuple[str, ...], int], ...] = (
    ((), 60),
    (("Kunden",), 16),
    (("Kunden", "Österreich & Schweiz"), 8),
    (("Lieferanten/Bau",), 8),
    (("Privat",), 6),
    (("Leerer Ordner",), 0),
)
"""Paths below the default folder, and their share of the contacts."""
TWIN = ("Kunden",)
"""A second folder of this name lies beside the first, as telephones leave them."""
COMPANIES = ("Nordlicht GmbH", "Müller Bau AG", "Carter & Sons Ltd", "Größmann Metallbau", "Åland Shipping", "日本支社")
CITIES = (
    ("Köln", "50667", "Domstraße", "Deutschland"),
    ("Zürich", "8001", "Bahnhofstrasse", "Schweiz"),
    ("Sheffield", "S1 2HH", "Mill Lane", "United Kingdom"),
    ("Łódź", "90-001", "Piotrkowska", "Polska"),
)
FIRST_BIRTHDAY = date(1950, 1, 1)
PHOTO_SHARE, NOTE_SHARE, SPARSE_SHARE = 0.2, 0.3, 0.1


@dataclass(frozen=True, slots=True)
class SeedContact:
    """One contact to be stored: its folder's path below the default folder, its Graph properties and its picture."""

    folder: tuple[str, ...]
    properties: Json
    photo: bytes | None = None
    photo_type: str = "image/png"


@dataclass(slots=True)
class ContactGenerator:
    """Writes one contact after the other."""

    seed: int
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311 - invented people, reproducible on purpose

    def contacts(self, count: int) -> Iterator[SeedContact]:
        paths, weights = zip(*FOLDERS, strict=True)
        for number in range(count):
            yield self.contact(number, self.rng.choices(paths, weights)[0])

    def contact(self, number: int, folder: tuple[str, ...]) -> SeedContact:
        """Write one contact for a folder; a tenth has hardly more than a name, as real address books do."""
        rng = self.rng
        given = rng.choice(texts.PEOPLE)[0].split(" ")[0]
        surname = f"{rng.choice(texts.PEOPLE)[0].split(' ')[1]}-{number}"
        properties: Json = {"givenName": given, "surname": surname}
        if rng.random() >= SPARSE_SHARE:
            properties |= self._business(given, surname) | self._private()
        photo = _picture(rng) if rng.random() < PHOTO_SHARE else None
        return SeedContact(folder, properties, photo)

    def _business(self, given: str, surname: str) -> Json:
        rng, name = self.rng, f"{given} {surname}"
        company, (city, code, street, country) = rng.choice(COMPANIES), rng.choice(CITIES)
        local = f"kontakt.{rng.randrange(10**6)}"
        return {
            "companyName": company,
            "department": rng.choice(texts.DEPARTMENTS),
            "jobTitle": rng.choice(("Einkäuferin", "Geschäftsführer", "Engineer", "Accountant, senior")),
            "emailAddresses": [
                {"name": name, "address": f"{local}@{domain}"}
                for domain in ("nordlicht.example", "privat.example", "carter.example")[: rng.randrange(1, 4)]
            ],
            "businessPhones": [self._phone() for _ in range(rng.randrange(3))],
            "businessAddress": {
                "street": f"{street} {rng.randrange(1, 200)}\r\nHinterhaus; 2. OG",
                "postalCode": code,
                "city": city,
                "countryOrRegion": country,
            },
            "businessHomePage": "https://nordlicht.example/",
            "categories": rng.sample(texts.CATEGORIES, rng.choices((0, 1, 2), (70, 20, 10))[0]),
        }

    def _private(self) -> Json:
        rng = self.rng
        born = FIRST_BIRTHDAY + timedelta(days=rng.randrange(20_000))
        return {
            "title": rng.choice(("", "Dr.", "Prof. Dr.")),
            "middleName": rng.choice(("", "", "Maria")),
            "nickName": rng.choice(("", "Jojo")),
            "mobilePhone": self._phone(),
            "homePhones": [self._phone() for _ in range(rng.randrange(2))],
            # Outlook notes a birthday as noon of that day.
            "birthday": f"{born.isoformat()}T11:59:00Z" if rng.random() < 0.5 else None,  # noqa: PLR2004 - half of them
            "imAddresses": ["sip:jojo@carter.example"] if rng.random() < PHOTO_SHARE else [],
            "personalNotes": texts.paragraph(rng, rng.randrange(40, 900)) if rng.random() < NOTE_SHARE else "",
        }

    def _phone(self) -> str:
        return f"+49 {self.rng.randrange(30, 999)} {self.rng.randrange(10**5, 10**7)}"


def load(boxes: Mailboxes, mailbox: str, wanted: Iterator[SeedContact]) -> int:
    """Store contacts in a mailbox, its folders first; return how many."""
    connection, user_pk = boxes.connection, boxes.user(mailbox)
    known: dict[tuple[str, ...], int] = {(): contacts.default_folder(connection, user_pk)["pk"]}
    count = 0
    with batched(connection) as wrote:
        for contact in wanted:
            folder = _folder(boxes, user_pk, known, contact.folder)
            pk = contacts.insert(connection, user_pk, folder, contacts.with_names(contact.properties), {})
            if contact.photo is not None:
                contacts.set_photo(connection, contacts.by_pk(connection, pk), contact.photo, contact.photo_type)
            wrote(len(contact.photo or b""))
            count += 1
    return count


def create_folders(boxes: Mailboxes, mailbox: str) -> None:
    """Make the folders of an invented address book, the empty one and the twin among them."""
    user_pk = boxes.user(mailbox)
    root = contacts.default_folder(boxes.connection, user_pk)["pk"]
    known: dict[tuple[str, ...], int] = {(): root}
    if contacts.child_folders(boxes.connection, root):
        return
    for path, _ in FOLDERS:
        _folder(boxes, user_pk, known, path)
    contacts.create_folder(boxes.connection, user_pk, root, TWIN[0], twin=True)


def _folder(boxes: Mailboxes, user_pk: int, known: dict[tuple[str, ...], int], path: tuple[str, ...]) -> int:
    """Return the key of the first folder at the path, creating what is missing."""
    if path not in known:
        parent = _folder(boxes, user_pk, known, path[:-1])
        same = [row["pk"] for row in contacts.child_folders(boxes.connection, parent) if row["name"] == path[-1]]
        known[path] = same[0] if same else contacts.create_folder(boxes.connection, user_pk, parent, path[-1])
    return known[path]


def _picture(rng: random.Random) -> bytes:
    """Draw a PNG of 16 by 16 pixels in random grey, some kilobytes long thanks to an unused chunk."""
    pixels = b"".join(b"\0" + rng.randbytes(16) for _ in range(16))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)),
        (b"tEXt", b"Comment\0" + base64.b64encode(rng.randbytes(rng.randrange(300, 3_000)))),
        (b"IDAT", zlib.compress(pixels)),
        (b"IEND", b""),
    )
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)
