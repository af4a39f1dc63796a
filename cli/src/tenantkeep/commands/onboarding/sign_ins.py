"""The apps of a file come to sign in: at once with a secret, and when a certificate is uploaded with its key.

An app that the tenant does not have gets there by the consent. Nothing is remembered here: which apps sign in already
the gateway says, and a key in the vault is offered again until it signs in.
"""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from contracts.api import CertificateBody, CredentialBody, VaultKeyBody
from contracts.entra_errors import APP_DISABLED, CERTIFICATE_UNKNOWN
from contracts.errors import ErrorClass
from contracts.names import ConsentOutcome, Profile
from contracts.texts import Text
from contracts.views import TokenView
from tenantkeep.commands import labels
from tenantkeep.commands.apps_file import AppsFile
from tenantkeep.commands.client import Gateway
from tenantkeep.commands.credential_body import AnyBody, set_body
from tenantkeep.commands.errors import Refused
from tenantkeep.commands.onboarding.human_steps import Upload, ask_consent, ask_upload
from tenantkeep.commands.output import Screen
from tenantkeep.commands.vault_key import write_certificate

_REFUSED = frozenset({ErrorClass.TOKEN_EXPIRED, ErrorClass.NO_VALID_TOKEN})
"""Problems of a token that end by a new credential only."""
_NO_CONSENT = frozenset({ConsentOutcome.DECLINED, ConsentOutcome.FAILED, ConsentOutcome.EXPIRED})


class SignIns:
    """The apps that do not sign in yet. `uploads` are the certificates that were asked for and are still missing."""

    def __init__(self, gateway: Gateway, screen: Screen, tenant: str, apps: AppsFile | None) -> None:
        self._gateway = gateway
        self._screen = screen
        self._tenant = tenant
        self._left = {} if apps is None else dict(apps.apps)
        self._files = {} if apps is None else apps.certificates
        self._certificates: dict[Profile, Upload] = {}
        self._asked: set[Profile] = set()
        self.uploads: dict[Profile, Upload] = {}
        self.refused = False
        """Whether somebody refused a consent without which an app cannot sign in."""

    @property
    def left(self) -> bool:
        """Whether any app may not sign in yet."""
        return bool(self._left)

    def bring(self) -> None:
        """Try each that does not sign in yet, and say once what a person has to do. Raises CommandError."""
        for token in self._gateway.tokens(self._tenant):
            if _settled(token):
                self._done(token.profile)
            elif token.profile in self._asked:
                self._look_at_consent(token)
        if not self.refused:
            for profile, body in list(self._left.items()):
                self._try(profile, body)

    def _try(self, profile: Profile, body: AnyBody) -> None:
        upload = None if isinstance(body, CredentialBody) else self._certificate(profile, body)
        try:
            set_body(self._gateway, self._tenant, profile, body)
        except Refused as error:
            if _without_consent(error):
                self._ask_consent(profile, body.client_id)
            elif upload is not None and _names(error, CERTIFICATE_UNKNOWN):
                self._ask_upload(upload)
            else:
                raise
            return
        self._done(profile)

    def _look_at_consent(self, token: TokenView) -> None:
        if token.consent is not None and token.consent.outcome in _NO_CONSENT:
            self.refused = True
            outcome = labels.code(token.consent.outcome, self._screen.language)
            self._screen.say(
                Text("  Consent for {}: {} {}", "  Zustimmung für {}: {} {}"),
                token.profile,
                outcome,
                token.consent.detail,
            )

    def _done(self, profile: Profile) -> None:
        self._left.pop(profile, None)
        self.uploads.pop(profile, None)

    def _certificate(self, profile: Profile, body: CertificateBody | VaultKeyBody) -> Upload:
        """What has to be uploaded; that of a key in the vault is written into a file."""
        if profile not in self._certificates:
            self._certificates[profile] = self._found(profile, body)
        return self._certificates[profile]

    def _found(self, profile: Profile, body: CertificateBody | VaultKeyBody) -> Upload:
        if isinstance(body, CertificateBody):
            file, thumbprint = self._files[profile], _thumbprint(body.certificate)
        else:
            offer = self._gateway.offer_vault_key(self._tenant, profile)
            file, thumbprint = Path(f"{self._tenant}-{profile}-key-{offer.number}.pem"), offer.thumbprint
            write_certificate(offer, file)
        return Upload(profile, body.client_id, file.absolute(), thumbprint)

    def _ask_upload(self, upload: Upload) -> None:
        if upload.profile not in self.uploads:
            self.uploads[upload.profile] = upload
            ask_upload(self._screen, upload)

    def _ask_consent(self, profile: Profile, client_id: str) -> None:
        if profile not in self._asked:
            self._asked.add(profile)
            ask_consent(self._gateway, self._screen, self._tenant, profile, client_id)


def _settled(token: TokenView) -> bool:
    """Tell whether the app signs in, as far as its credential goes; what somebody switched off stays off here."""
    return token.client_id is not None and token.problem not in _REFUSED


def _without_consent(error: Refused) -> bool:
    """Tell whether Microsoft does not know the app in the tenant, which the consent changes."""
    consent = any(one.get("class") == ErrorClass.CONSENT_REQUIRED.value for one in error.problem.errors)
    return consent and not _names(error, APP_DISABLED)


def _names(error: Refused, number: int) -> bool:
    """Tell whether Microsoft's refusal of a credential has this number."""
    refused = error.problem.code == "credential-refused"
    return refused and any(f"AADSTS{number}" in str(one.get("detail", "")).split() for one in error.problem.errors)


def _thumbprint(certificate: str) -> str:
    found = x509.load_pem_x509_certificate(certificate.encode())
    return found.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - a name, nothing is protected by it
