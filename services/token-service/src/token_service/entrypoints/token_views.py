"""Connections as everybody may see them: states and facts, never a value."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from contracts import tokens, views
from contracts.names import ExpirySource, Profile
from contracts.tokens import Probe
from token_service.domain.connection import Connection, ConsentAttempt
from token_service.domain.credential import end_of, thumbprint_of
from token_service.domain.records import KeyOffer, TokenRecord
from token_service.ports import Effective, NotEffective, Unproven
from token_service.usecases.verify_token import Verdict

_TESTED_BY_BACKUP = frozenset({Profile.EXCHANGE_BACKUP})


def token_view(connection: Connection, now: datetime) -> views.TokenView:
    token, trouble, record, retired = connection.token, connection.trouble, connection.record, connection.retired
    expiry = connection.expiry if record is not None else None
    return views.TokenView(
        tenant=connection.tenant,
        profile=connection.profile,
        status=connection.status(now),
        client_id=connection.client_id,
        generation=0 if token is None else token.generation,
        expires_at=None if token is None or retired is not None else token.expires_at,
        proven_at=connection.proven_at,
        problem=None if trouble is None else trouble.error,
        problem_since=None if trouble is None else trouble.since,
        detail="" if trouble is None else trouble.detail,
        credential=None if record is None else record.credential,
        generated_at=None if record is None else record.generated_at,
        generated_by="" if record is None else record.generated_by,
        credential_expires_at=None if expiry is None else expiry.at,
        credential_expiry=ExpirySource.UNKNOWN if expiry is None else expiry.source,
        deactivated_at=None if retired is None else retired.at,
        consent_proven_at=connection.consent_proven_at,
        without=connection.without,
        consent=None if connection.consent is None else _consent_view(connection.consent),
    )


def details_view(connection: Connection, now: datetime, support_contact: str) -> tokens.TokenDetails:
    """State, records and notes, both newest first."""
    return tokens.TokenDetails(
        **dict(token_view(connection, now)),
        support_contact=support_contact,
        records=tuple(_record_view(record) for record in reversed(connection.records)),
        notes=tuple(tokens.TokenNote(at=note.at, by=note.by, text=note.text) for note in reversed(connection.notes)),
    )


def offer_view(tenant: str, profile: Profile, offer: KeyOffer) -> tokens.VaultKeyOffer:
    certificate = x509.load_pem_x509_certificate(offer.certificate.encode())
    return tokens.VaultKeyOffer(
        tenant=tenant,
        profile=profile,
        number=offer.number,
        certificate=offer.certificate,
        thumbprint=thumbprint_of(offer.certificate),
        thumbprint_sha256=certificate.fingerprint(hashes.SHA256()).hex().upper(),
        expires_at=end_of(offer.certificate),
        offered_at=offer.at,
        offered_by=offer.by,
    )


def check_view(verdict: Verdict) -> tokens.TokenCheck:
    connection, proof = verdict.connection, verdict.proof
    match proof:
        case Effective(without=without):
            return _check(verdict, "effective", without=without, test_backup=connection.profile in _TESTED_BY_BACKUP)
        case NotEffective(detail=detail):
            return _check(verdict, "not_effective", detail=detail)
        case Unproven(detail=detail):
            return _check(verdict, "unproven", detail=detail)
        case None:
            return _check(verdict, "no_token")


def _check(verdict: Verdict, probe: Probe, **found: Any) -> tokens.TokenCheck:
    connection = verdict.connection
    return tokens.TokenCheck(
        tenant=connection.tenant,
        profile=connection.profile,
        at=verdict.at,
        status=connection.status(verdict.at),
        probe=probe,
        **found,
    )


def _record_view(record: TokenRecord) -> tokens.TokenRecord:
    return tokens.TokenRecord(**asdict(record))


def _consent_view(attempt: ConsentAttempt) -> views.ConsentView:
    return views.ConsentView(
        outcome=attempt.outcome,
        client_id=attempt.client_id,
        asked_at=attempt.asked_at,
        expires_at=attempt.expires_at,
        detail=attempt.detail,
    )
