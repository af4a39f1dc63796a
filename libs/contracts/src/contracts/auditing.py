"""What is recorded of a change, by whichever service makes it."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from contracts.caller import Caller
from contracts.events.audit import AuditRecorded, Facts
from contracts.redaction import redacted

LONGEST_FACT = 1000
"""Characters of one field that are recorded."""

_TIME = frozenset({"created_at", "updated_at"})
"""Said by the record itself."""


class AuditAction(StrEnum):
    """Every change that somebody can make: kind of the object, a dot, a verb. A released one is never renamed."""

    TENANT_REGISTER = "tenant.register"
    TENANT_SET_RECOVERY_KEY = "tenant.set-recovery-key"
    TENANT_SET_CONTACTS = "tenant.set-contacts"
    TENANT_SET_RETENTION_FLOOR = "tenant.set-retention-floor"
    PROFILE_ADOPT_CREDENTIAL = "profile.adopt-credential"
    PROFILE_SET_CREDENTIAL = "profile.set-credential"
    PROFILE_OFFER_KEY = "profile.offer-key"
    PROFILE_ASK_CONSENT = "profile.ask-consent"
    PROFILE_ANSWER_CONSENT = "profile.answer-consent"
    PROFILE_DEACTIVATE = "profile.deactivate"
    PROFILE_DELETE = "profile.delete"
    PROFILE_NOTE = "profile.note"
    PROFILE_RENEW = "profile.renew"
    INCIDENT_OPEN = "incident.open"
    INCIDENT_NOTE = "incident.note"
    INCIDENT_CLOSE = "incident.close"
    PROFILE_NAME_CONSENT_GIVER = "profile.name-consent-giver"
    OFFBOARDING_BEGIN = "offboarding.begin"
    OFFBOARDING_CANCEL = "offboarding.cancel"
    OFFBOARDING_DECIDE_EXPORT = "offboarding.decide-export"
    OFFBOARDING_ORDER_SHREDDING = "offboarding.order-shredding"
    OFFBOARDING_ATTEST_KEY = "offboarding.attest-key"
    OFFBOARDING_SHRED = "offboarding.shred"
    TARGET_CREATE = "target.create"
    TARGET_RECOVER = "target.recover"
    TARGET_RENEW = "target.renew"
    CONFIGURATION_CREATE = "configuration.create"
    CONFIGURATION_CHANGE = "configuration.change"
    LEGAL_HOLD_PLACE = "legal-hold.place"
    LEGAL_HOLD_RELEASE = "legal-hold.release"
    RESTORE_POINT_EXPORT = "restore-point.export"
    RUN_START = "run.start"
    REVIEW_COMPLETE = "review.complete"
    DEAD_LETTER_REPLAY = "dead-letter.replay"
    SYNC_CHANGE_SETTINGS = "sync.change-settings"
    EMPLOYEE_CHANGE_PROFILE = "employee.change-profile"
    EMPLOYEE_CHANGE_LOCAL = "employee.change-local"
    EMPLOYEE_IMPORT = "employee.import"
    EMPLOYEE_EXPORT = "employee.export"
    EMPLOYEE_ERASE = "employee.erase"


def recorded(
    action: AuditAction,
    about: str,
    *,
    tenant: str,
    caller: Caller,
    at: datetime,
    before: BaseModel | Mapping[str, Any] | None = None,
    after: BaseModel | Mapping[str, Any] | None = None,
    leave_out: Collection[str] = (),
) -> AuditRecorded:
    """The event to save together with the change of the object `about`.

    Of two states only what differs is recorded, of one all that is set. Secrets are masked, long texts cut.
    `leave_out` names fields that are nobody's business or that the service itself keeps up to date.
    """
    old, new = _facts(before, leave_out), _facts(after, leave_out)
    if before is not None and after is not None:
        changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        old, new = _of(old, changed), _of(new, changed)
    return AuditRecorded(
        tenant=tenant,
        at=at,
        action=action,
        object=about,
        actor=caller.subject,
        roles=caller.roles,
        request=caller.request_id,
        before=old,
        after=new,
    )


def _of(facts: Facts, names: Collection[str]) -> Facts:
    return {name: text for name, text in facts.items() if name in names}


def _facts(state: BaseModel | Mapping[str, Any] | None, leave_out: Collection[str]) -> Facts:
    if state is None:
        return {}
    plain = state.model_dump(mode="json") if isinstance(state, BaseModel) else dict(state)
    hidden = {"tenant", *_TIME, *leave_out}
    return {
        name: _text(redacted(value, name))
        for name, value in sorted(plain.items())
        if name not in hidden and value not in (None, "", [], (), {})
    }


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= LONGEST_FACT else f"{text[:LONGEST_FACT]}…"
