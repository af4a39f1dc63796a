"""Changes of employees: what may be asked for, and why it was refused. Codes here, texts beside them."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.errors import EXPLANATIONS, ErrorClass
from contracts.problem import Problem, ProblemError
from contracts.texts import Text

Text40 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40)]
Text64 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)]
Text128 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=128)]
Text256 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=256)]
Text320 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=320)]
Text500 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Text1024 = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1024)]

_VERSION = "the version of the employee the change was made from; another one by now is a conflict; null: any"


class _Change(BaseModel):
    """What is left out, or null, stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int | None = Field(default=None, ge=1, description=_VERSION)


class ProfileChange(_Change):
    """Synchronised fields to change in Microsoft 365; "" and [] clear a field, null leaves it.

    The longest values are those of learn.microsoft.com/graph/api/resources/user.
    """

    display_name: Text256 | None = Field(default=None, description="cannot be cleared")
    first_name: Text64 | None = None
    last_name: Text64 | None = None
    primary_mail: Text320 | None = Field(default=None, description="always refused: Exchange owns it")
    job_title: Text128 | None = None
    department: Text64 | None = None
    mobile_number: Text64 | None = None
    business_phones: tuple[Text64, ...] | None = Field(default=None, description="Microsoft 365 keeps one at the most")
    office_location: Text128 | None = None
    street: Text1024 | None = None
    city: Text128 | None = None
    postal_code: Text40 | None = None
    country: Text128 | None = None
    preferred_language: Text40 | None = Field(default=None, description="such as de-DE")
    account_enabled: bool | None = None


class LocalChange(_Change):
    """Fields that exist here alone; "" clears a field, null leaves it."""

    employee_type: Text64 | None = Field(default=None, description="one of the tenant's employee types")
    employee_status: Text64 | None = Field(default=None, description="one of the tenant's employee statuses")
    remote_worker: bool | None = None
    gdpr_exempt: bool | None = Field(default=None, description="true needs a gdpr_reason")
    gdpr_reason: Text500 | None = None
    entry_date: date | Literal[""] | None = None
    exit_date: date | Literal[""] | None = Field(default=None, description="not before entry_date")
    take_offered: bool = Field(
        default=False, description="take over what the predecessor of the same mail address had, before all else"
    )


class Refusal(StrEnum):
    """Why an employee was not changed or imported. The local record is then what it was before."""

    PRIMARY_MAIL = "primary_mail"
    BUSINESS_PHONES = "business_phones"
    VALUE = "value"
    DIRECTORY_SYNCHRONISED = "directory_synchronised"
    ADMINISTRATOR = "administrator"
    NOT_VISIBLE = "not_visible"
    INTERRUPTED = "interrupted"
    DEACTIVATED = "deactivated"
    NO_ADDRESS = "no_address"
    GUEST = "guest"
    ACCESS_DENIED = ErrorClass.ACCESS_DENIED.value
    CONSENT_REQUIRED = ErrorClass.CONSENT_REQUIRED.value
    TOKEN_EXPIRED = ErrorClass.TOKEN_EXPIRED.value
    NO_VALID_TOKEN = ErrorClass.NO_VALID_TOKEN.value
    RATE_LIMITED = ErrorClass.RATE_LIMITED.value
    CONNECTION_TIMEOUT = ErrorClass.CONNECTION_TIMEOUT.value
    NOT_FOUND = ErrorClass.NOT_FOUND.value
    VAULT_UNREACHABLE = ErrorClass.VAULT_UNREACHABLE.value


class RefusalText(NamedTuple):
    """HTTP status of the problem, and what people read: what is the matter, and what to do."""

    status: int
    cause: Text
    remedy: Text


def _as_everywhere(error: ErrorClass, status: int) -> RefusalText:
    known = EXPLANATIONS[error]
    cause = Text(*(f"{title}: {cause}" for title, cause in zip(known.title, known.cause, strict=True)))
    return RefusalText(status, cause, known.remedy)


REFUSALS: dict[Refusal, RefusalText] = {
    Refusal.PRIMARY_MAIL: RefusalText(
        422,
        Text("The primary mail address belongs to Exchange", "Die primäre Mailadresse gehört Exchange"),
        Text(
            "change it in the Exchange admin center; the next sync takes it over",
            "im Exchange Admin Center ändern; der nächste Abgleich übernimmt sie",
        ),
    ),
    Refusal.BUSINESS_PHONES: RefusalText(
        422,
        Text("Microsoft 365 keeps one business phone only", "Microsoft 365 führt nur eine geschäftliche Rufnummer"),
        Text("give one number, or none to clear it", "eine Nummer angeben, oder keine zum Löschen"),
    ),
    Refusal.VALUE: RefusalText(
        422,
        Text("A value is not allowed", "Ein Wert ist nicht zulässig"),
        Text("correct the fields that are named", "die genannten Felder berichtigen"),
    ),
    Refusal.DIRECTORY_SYNCHRONISED: RefusalText(
        409,
        Text(
            "The user is synchronised from an on-premises directory, which alone may change it",
            "Der Benutzer wird aus einem lokalen Verzeichnis synchronisiert, nur dort ist er änderbar",
        ),
        Text(
            "change it in the on-premises Active Directory; the next sync takes it over",
            "im lokalen Active Directory ändern; der nächste Abgleich übernimmt es",
        ),
    ),
    Refusal.ADMINISTRATOR: RefusalText(
        409,
        Text(
            "Account status and phone numbers of an administrator may not be changed by an app",
            "Kontostatus und Rufnummern eines Administrators darf keine App ändern",
        ),
        Text(
            "let a Global Administrator change them in the Entra admin center",
            "von einem Globalen Administrator im Entra Admin Center ändern lassen",
        ),
    ),
    Refusal.NOT_VISIBLE: RefusalText(
        409,
        Text(
            "Microsoft 365 took the change but does not show it yet; nothing was saved here",
            "Microsoft 365 hat die Änderung angenommen, zeigt sie aber noch nicht; hier wurde nichts gespeichert",
        ),
        Text(
            "wait for the next sync, or refresh this employee in a few minutes",
            "den nächsten Abgleich abwarten oder den Mitarbeiter in einigen Minuten neu laden",
        ),
    ),
    Refusal.INTERRUPTED: RefusalText(
        409,
        Text(
            "The change was interrupted, and Microsoft 365 does not show it; nothing was saved here",
            "Die Änderung wurde unterbrochen, Microsoft 365 zeigt sie nicht; hier wurde nichts gespeichert",
        ),
        Text("look at the profile, and change it again", "das Profil ansehen und erneut ändern"),
    ),
    Refusal.DEACTIVATED: RefusalText(
        409,
        Text("The user was deleted in Microsoft 365", "Der Benutzer wurde in Microsoft 365 gelöscht"),
        Text(
            "restore the user there first; fields kept here alone can still be changed",
            "den Benutzer zuerst dort wiederherstellen; nur hier geführte Felder bleiben änderbar",
        ),
    ),
    Refusal.NO_ADDRESS: RefusalText(
        422,
        Text("The user has no mail address", "Der Benutzer hat keine Mailadresse"),
        Text("give the user a mailbox or address first", "dem Benutzer zuerst ein Postfach oder eine Adresse geben"),
    ),
    Refusal.GUEST: RefusalText(
        422,
        Text("Guests are not imported in this tenant", "Gäste werden in diesem Mandanten nicht übernommen"),
        Text("switch guests on in the sync settings", "Gäste in den Abgleicheinstellungen zulassen"),
    ),
    Refusal.ACCESS_DENIED: _as_everywhere(ErrorClass.ACCESS_DENIED, 409),
    Refusal.CONSENT_REQUIRED: _as_everywhere(ErrorClass.CONSENT_REQUIRED, 409),
    Refusal.TOKEN_EXPIRED: _as_everywhere(ErrorClass.TOKEN_EXPIRED, 503),
    Refusal.NO_VALID_TOKEN: _as_everywhere(ErrorClass.NO_VALID_TOKEN, 503),
    Refusal.RATE_LIMITED: _as_everywhere(ErrorClass.RATE_LIMITED, 503),
    Refusal.CONNECTION_TIMEOUT: _as_everywhere(ErrorClass.CONNECTION_TIMEOUT, 503),
    Refusal.NOT_FOUND: _as_everywhere(ErrorClass.NOT_FOUND, 404),
    Refusal.VAULT_UNREACHABLE: _as_everywhere(ErrorClass.VAULT_UNREACHABLE, 503),
}


FaultCode = Literal[
    "empty",
    "not_in_list",
    "reason_required",
    "exit_before_entry",
    "language",
    "too_many",
    "read_only",
    "nothing_offered",
    "nothing_given",
]


class Fault(BaseModel):
    """A field that stands in the way of a change; `code` is what programs branch on."""

    model_config = ConfigDict(frozen=True)

    field: str
    code: FaultCode


def refused(refusal: Refusal, faults: tuple[Fault, ...] = ()) -> ProblemError:
    """The problem a refused change ends in: `code` is the refusal, with hyphens."""
    text = REFUSALS[refusal]
    return ProblemError(
        Problem(
            code=refusal.value.replace("_", "-"),
            status=text.status,
            title=text.cause.en,
            detail=f"Nothing was changed here. What to do: {text.remedy.en}.",
            errors=tuple(fault.model_dump() for fault in faults),
        )
    )


def refusal_of(code: str) -> Refusal | None:
    """The refusal a problem stands for; None for any other problem."""
    try:
        return Refusal(code.replace("-", "_"))
    except ValueError:
        return None
