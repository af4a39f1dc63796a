"""Read contacts from a vCard file (2.1 to 4.0, RFC 6350); lines are unfolded and cut by vobject."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from vobject.base import ParseError, getLogicalLines, parseLine

from graph_simulator.contacts import Json
from graph_simulator.seed.contacts import SeedContact
from graph_simulator.seed.mail import SourceInvalidError

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_DAY = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")
_DATA_URI = re.compile(r"data:([\w/+.-]+);base64,(.*)", re.DOTALL)
_NAMES = ("surname", "givenName", "middleName", "title", "generation")
_TEXTS = {
    "FN": "displayName",
    "TITLE": "jobTitle",
    "NOTE": "personalNotes",
    "NICKNAME": "nickName",
    "ROLE": "profession",
    "URL": "businessHomePage",
}
Parameters = dict[str, set[str]]


def read(path: Path) -> Iterator[SeedContact]:
    """Yield each card of the file as a contact of the default folder. Raises SourceInvalidError."""
    card: _Card | None = None
    with path.open(encoding="utf-8", newline="") as file:
        try:
            for line, _number in getLogicalLines(file):
                name, parameters, value, _group = parseLine(line)
                if name.upper() == "BEGIN":
                    card = _Card()
                elif name.upper() == "END" and card is not None:
                    yield card.contact()
                    card = None
                elif card is not None:
                    card.add(name.upper(), _parameters(parameters), value)
        except (ParseError, UnicodeDecodeError, binascii.Error) as error:
            raise SourceInvalidError(f"{path}: {error}") from error


class _Card:
    def __init__(self) -> None:
        self.properties: Json = {}
        self.photo: bytes | None = None
        self.photo_type = ""
        self._readers: dict[str, Callable[[Parameters, str], None]] = {
            "N": self._name,
            "ORG": self._organization,
            "EMAIL": self._mail,
            "TEL": self._phone,
            "ADR": self._address,
            "BDAY": self._birthday,
            "CATEGORIES": self._categories,
            "IMPP": self._chat,
            "PHOTO": self._photo,
        }

    def add(self, name: str, parameters: Parameters, value: str) -> None:
        if name in _TEXTS:
            self.properties[_TEXTS[name]] = _text(value)
        elif name in self._readers:
            self._readers[name](parameters, value)

    def contact(self) -> SeedContact:
        for address in self._list("emailAddresses"):
            assert isinstance(address, dict)
            address["name"] = self.properties.get("displayName") or address["address"]
        return SeedContact((), self.properties, self.photo, self.photo_type)

    def _list(self, name: str) -> list[object]:
        found = self.properties.setdefault(name, [])
        assert isinstance(found, list)
        return found

    def _name(self, _parameters: Parameters, value: str) -> None:
        self.properties |= {key: text for key, text in zip(_NAMES, _fields(value), strict=False) if text}

    def _organization(self, _parameters: Parameters, value: str) -> None:
        company, department = [*_fields(value), ""][:2]
        self.properties |= {"companyName": company, "department": department}

    def _mail(self, _parameters: Parameters, value: str) -> None:
        self._list("emailAddresses").append({"name": "", "address": _text(value)})

    def _phone(self, parameters: Parameters, value: str) -> None:
        number = _text(value).removeprefix("tel:")
        if "cell" in parameters["TYPE"]:
            self.properties["mobilePhone"] = number
        else:
            self._list("homePhones" if "home" in parameters["TYPE"] else "businessPhones").append(number)

    def _address(self, parameters: Parameters, value: str) -> None:
        _box, extended, street, city, state, code, country = [*_fields(value), *[""] * 7][:7]
        kind = "homeAddress" if "home" in parameters["TYPE"] else "businessAddress"
        self.properties[kind if kind not in self.properties else "otherAddress"] = {
            "street": "\r\n".join(filter(None, (street, extended))),
            "city": city,
            "state": state,
            "postalCode": code,
            "countryOrRegion": country,
        }

    def _birthday(self, _parameters: Parameters, value: str) -> None:
        if (found := _DAY.match(value)) is not None:
            self.properties["birthday"] = f"{'-'.join(found.groups())}T11:59:00Z"

    def _categories(self, _parameters: Parameters, value: str) -> None:
        self._list("categories").extend(_fields(value, ","))

    def _chat(self, _parameters: Parameters, value: str) -> None:
        self._list("imAddresses").append(_text(value))

    def _photo(self, parameters: Parameters, value: str) -> None:
        if (found := _DATA_URI.fullmatch(value)) is not None:
            self.photo_type, self.photo = found[1], base64.b64decode(found[2], validate=True)
        elif parameters["ENCODING"] & {"b", "base64"}:
            self.photo_type = f"image/{next(iter(parameters['TYPE']), 'jpeg')}"
            self.photo = base64.b64decode("".join(value.split()), validate=True)


def _parameters(given: list[list[str]]) -> Parameters:
    """Return the parameters the readers ask for; `TYPE=home,work` and two TYPEs are the same."""
    found: Parameters = {"TYPE": set(), "ENCODING": set()}
    for name, *values in given:
        # vCard 2.1 writes a bare HOME for TYPE=home.
        words = {word.lower() for value in values or [name] for word in value.split(",")}
        found.setdefault(name.upper() if values else "TYPE", set()).update(words)
    return found


def _fields(value: str, separator: str = ";") -> list[str]:
    return [_text(part) for part in re.split(rf"(?<!\\){separator}", value)]


def _text(value: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)
