"""The gateway's API as methods, typed with the contracts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from contracts import api
from contracts.audit_chain import AuditRecord, AuditSeals
from contracts.browsing import Comparison, Folder, Item, Message
from contracts.dead_letters import DeadLetter, DeadLetterContent
from contracts.incidents import Incident
from contracts.names import Profile
from contracts.onboarding import OnboardingView
from contracts.permissions import PermissionCheck, ProfileView
from contracts.reviews import Review
from contracts.sign_in import SignInLink
from contracts.tokens import TokenCheck, TokenDetails, VaultKeyOffer
from contracts.views import (
    BackupConfiguration,
    ConsentLink,
    HealthView,
    ItemProblem,
    Job,
    LegalHold,
    Listing,
    RestorePoint,
    RetentionFloor,
    Run,
    StorageTarget,
    Tenant,
    TokenView,
)
from tenantkeep.commands import session, settings
from tenantkeep.commands.clock import SystemClock
from tenantkeep.commands.employee_calls import EmployeeCalls
from tenantkeep.commands.output import Screen
from tenantkeep.commands.patience import Patience
from tenantkeep.commands.transport import ROOT, not_ours, problem_of, revealed
from tenantkeep.commands.transport import part as _part


class Gateway(EmployeeCalls):
    """What can be asked and done, one method each; each raises `CommandError` as its transport does."""

    def tenants(self) -> list[Tenant]:
        return self._list("/tenants", Tenant)

    def tenant(self, tenant: str) -> Tenant:
        return self._get(f"/tenants/{_part(tenant)}", Tenant)

    def register_tenant(self, body: api.TenantBody) -> Tenant:
        return self._post("/tenants", body, Tenant)

    def set_contacts(self, tenant: str, body: api.ContactsBody) -> Tenant:
        return self._answer(self._send("PUT", f"/tenants/{_part(tenant)}/contacts", json=revealed(body)), Tenant)

    def onboarding(self, tenant: str) -> OnboardingView:
        return self._get(f"/tenants/{_part(tenant)}/onboarding", OnboardingView)

    def tokens(self, tenant: str) -> list[TokenView]:
        return self._list(f"/tenants/{_part(tenant)}/tokens", TokenView)

    def token(self, tenant: str, profile: Profile) -> TokenDetails:
        return self._get(_token(tenant, profile), TokenDetails)

    def renew_token(self, tenant: str, profile: Profile) -> TokenView:
        return self._post(f"{_token(tenant, profile)}/renewal", None, TokenView)

    def verify_token(self, tenant: str, profile: Profile) -> TokenCheck:
        return self._post(f"{_token(tenant, profile)}/verification", None, TokenCheck)

    def deactivate_token(self, tenant: str, profile: Profile) -> TokenView:
        return self._post(f"{_token(tenant, profile)}/deactivation", None, TokenView)

    def delete_token(self, tenant: str, profile: Profile) -> TokenView:
        return self._answer(self._send("DELETE", _token(tenant, profile)), TokenView)

    def note_token(self, tenant: str, profile: Profile, body: api.TokenNoteBody) -> TokenDetails:
        return self._post(f"{_token(tenant, profile)}/notes", body, TokenDetails)

    def incidents(self, tenant: str) -> list[Incident]:
        return self._list(f"/tenants/{_part(tenant)}/incidents", Incident)

    def incident(self, tenant: str, incident: str) -> Incident:
        return self._get(_incident(tenant, incident), Incident)

    def open_incident(self, tenant: str, body: api.IncidentBody) -> Incident:
        return self._post(f"/tenants/{_part(tenant)}/incidents", body, Incident)

    def note_incident(self, tenant: str, incident: str, body: api.IncidentNoteBody) -> Incident:
        return self._post(f"{_incident(tenant, incident)}/notes", body, Incident)

    def close_incident(self, tenant: str, incident: str, body: api.IncidentClosureBody) -> Incident:
        return self._post(f"{_incident(tenant, incident)}/closure", body, Incident)

    def set_recovery_key(self, tenant: str, body: api.RecoveryKeyBody) -> Tenant:
        return self._answer(self._send("PUT", f"/tenants/{_part(tenant)}/recovery-key", json=revealed(body)), Tenant)

    def set_credential(self, tenant: str, profile: Profile, body: api.CredentialBody) -> TokenView:
        path = f"/tenants/{_part(tenant)}/profiles/{_part(profile)}/credential"
        return self._answer(self._send("PUT", path, json=revealed(body)), TokenView)

    def set_certificate(self, tenant: str, profile: Profile, body: api.CertificateBody) -> TokenView:
        path = f"/tenants/{_part(tenant)}/profiles/{_part(profile)}/certificate"
        return self._answer(self._send("PUT", path, json=revealed(body)), TokenView)

    def offer_vault_key(self, tenant: str, profile: Profile) -> VaultKeyOffer:
        return self._post(f"/tenants/{_part(tenant)}/profiles/{_part(profile)}/vault-key", None, VaultKeyOffer)

    def set_vault_key(self, tenant: str, profile: Profile, body: api.VaultKeyBody) -> TokenView:
        path = f"/tenants/{_part(tenant)}/profiles/{_part(profile)}/vault-key"
        return self._answer(self._send("PUT", path, json=body.model_dump(mode="json")), TokenView)

    def start_consent(self, tenant: str, profile: Profile, body: api.ConsentBody) -> ConsentLink:
        return self._post(f"/tenants/{_part(tenant)}/profiles/{_part(profile)}/consent", body, ConsentLink)

    def start_sign_in(self, tenant: str) -> SignInLink:
        return self._post(f"/tenants/{_part(tenant)}/sign-ins", None, SignInLink)

    def profiles(self, tenant: str) -> list[ProfileView]:
        return self._list(f"/tenants/{_part(tenant)}/profiles", ProfileView)

    def check_permissions(self, tenant: str, profile: Profile) -> PermissionCheck:
        path = f"/tenants/{_part(tenant)}/profiles/{_part(profile)}/permission-check"
        return self._post(path, None, PermissionCheck)

    def set_consent_giver(self, tenant: str, profile: Profile, body: api.ConsentGiverBody) -> ProfileView:
        path = f"/tenants/{_part(tenant)}/profiles/{_part(profile)}/consent-giver"
        return self._answer(self._send("PUT", path, json=body.model_dump(mode="json")), ProfileView)

    def storage_targets(self, tenant: str) -> list[StorageTarget]:
        return self._list(f"/tenants/{_part(tenant)}/storage-targets", StorageTarget)

    def create_storage_target(self, tenant: str, body: api.AnyTargetBody) -> api.StorageTargetResult:
        return self._post(f"/tenants/{_part(tenant)}/storage-targets", body, api.StorageTargetResult)

    def renew_storage_credentials(
        self, tenant: str, target: str, body: api.StorageCredentialsBody
    ) -> api.StorageTargetResult:
        path = f"/tenants/{_part(tenant)}/storage-targets/{_part(target)}/credentials"
        return self._post(path, body, api.StorageTargetResult)

    def test_storage_target(self, tenant: str, target: str) -> api.StorageTargetResult:
        path = f"/tenants/{_part(tenant)}/storage-targets/{_part(target)}/test"
        return self._post(path, None, api.StorageTargetResult)

    def recover_storage_target(self, tenant: str, target: str) -> StorageTarget:
        return self._post(f"/tenants/{_part(tenant)}/storage-targets/{_part(target)}/recovery", None, StorageTarget)

    def configurations(self, tenant: str) -> list[BackupConfiguration]:
        return self._list(f"/tenants/{_part(tenant)}/backup-configurations", BackupConfiguration)

    def create_configuration(self, tenant: str, body: api.BackupConfigurationBody) -> BackupConfiguration:
        return self._post(f"/tenants/{_part(tenant)}/backup-configurations", body, BackupConfiguration)

    def configuration(self, tenant: str, configuration: str) -> BackupConfiguration:
        return self._get(_configuration(tenant, configuration), BackupConfiguration)

    def change_configuration(
        self, tenant: str, configuration: str, body: api.BackupConfigurationChange
    ) -> BackupConfiguration:
        content = body.model_dump(mode="json", exclude_none=True)
        return self._answer(
            self._send("PATCH", _configuration(tenant, configuration), json=content), BackupConfiguration
        )

    def retention_floor(self, tenant: str) -> RetentionFloor:
        return self._get(f"/tenants/{_part(tenant)}/retention-floor", RetentionFloor)

    def set_retention_floor(self, tenant: str, body: api.RetentionFloorBody) -> RetentionFloor:
        path = f"/tenants/{_part(tenant)}/retention-floor"
        return self._answer(self._send("PUT", path, json=revealed(body)), RetentionFloor)

    def holds(self, tenant: str) -> list[LegalHold]:
        return self._list(f"/tenants/{_part(tenant)}/legal-holds", LegalHold)

    def place_hold(self, tenant: str, body: api.LegalHoldBody) -> LegalHold:
        return self._post(f"/tenants/{_part(tenant)}/legal-holds", body, LegalHold)

    def release_hold(self, tenant: str, hold: str, body: api.LegalHoldReleaseBody) -> LegalHold:
        return self._post(f"/tenants/{_part(tenant)}/legal-holds/{_part(hold)}/release", body, LegalHold)

    def start_backup(self, tenant: str, configuration: str, key: str | None = None) -> str:
        """Returns the run's id. The same `key` never starts a second run."""
        return self._post(f"{_configuration(tenant, configuration)}/runs", None, api.Accepted, key).run

    def restore_problems(self, tenant: str, job: str) -> list[ItemProblem]:
        """Every item that a restore job could not bring back."""
        return self._list(f"/tenants/{_part(tenant)}/jobs/{_part(job)}/restore-problems", ItemProblem)

    def start_restore(self, tenant: str, body: api.RestoreBody, key: str | None = None) -> str:
        """Returns the run's id. The same `key` never starts a second run."""
        return self._post(f"/tenants/{_part(tenant)}/restores", body, api.Accepted, key).run

    def start_upkeep(self, tenant: str, target: str, body: api.UpkeepBody, key: str | None = None) -> str:
        """Returns the run's id. The same `key` never starts a second run."""
        path = f"/tenants/{_part(tenant)}/storage-targets/{_part(target)}/runs"
        return self._post(path, body, api.Accepted, key).run

    def runs(self, tenant: str, configuration: str | None = None) -> list[Run]:
        return self._list(f"/tenants/{_part(tenant)}/runs", Run, configuration=configuration)

    def run(self, tenant: str, run: str) -> Run:
        return self._get(f"/tenants/{_part(tenant)}/runs/{_part(run)}", Run)

    def jobs(self, tenant: str, run: str) -> list[Job]:
        return self._list(f"/tenants/{_part(tenant)}/runs/{_part(run)}/jobs", Job)

    def job(self, tenant: str, job: str) -> Job:
        return self._get(f"/tenants/{_part(tenant)}/jobs/{_part(job)}", Job)

    def restore_points(
        self, tenant: str, *, configuration: str | None = None, resource: str | None = None
    ) -> list[RestorePoint]:
        path = f"/tenants/{_part(tenant)}/restore-points"
        return self._list(path, RestorePoint, configuration=configuration, resource=resource)

    def folders(self, tenant: str, point: str) -> list[Folder]:
        return self._list(f"{_point(tenant, point)}/folders", Folder)

    def items(self, tenant: str, point: str, folder: str, **page: Any) -> Listing[Item]:
        return self._page(f"{_point(tenant, point)}/folders/{_part(folder)}/items", Listing[Item], page)

    def message(self, tenant: str, point: str, item: str) -> Message:
        return self._get(f"{_point(tenant, point)}/items/{_part(item)}/message", Message)

    def search(self, tenant: str, point: str, **asked: Any) -> Listing[Item]:
        """One page; `asked` as in the API."""
        return self._page(f"{_point(tenant, point)}/search", Listing[Item], asked)

    def compare(self, tenant: str, point: str, other: str, **page: Any) -> Comparison:
        return self._page(f"{_point(tenant, point)}/compare", Comparison, {"with": other, **page})

    def health(self, tenant: str) -> list[HealthView]:
        return self._list(f"/tenants/{_part(tenant)}/health", HealthView)

    def audit_page(self, tenant: str, **asked: Any) -> Listing[AuditRecord]:
        return self._page(f"/tenants/{_part(tenant)}/audit", Listing[AuditRecord], asked)

    def audit_seals_page(self, tenant: str, **asked: Any) -> AuditSeals:
        return self._page(f"/tenants/{_part(tenant)}/audit/seals", AuditSeals, asked)

    def reviews(self, tenant: str, *, open_only: bool = False) -> list[Review]:
        return self._list(f"/tenants/{_part(tenant)}/reviews", Review, open_only="true" if open_only else None)

    def review(self, tenant: str, review: str) -> Review:
        return self._get(f"/tenants/{_part(tenant)}/reviews/{_part(review)}", Review)

    def complete_review(self, tenant: str, review: str, body: api.ReviewCompletionBody) -> Review:
        return self._post(f"/tenants/{_part(tenant)}/reviews/{_part(review)}/completion", body, Review)

    def dead_letters(self, durable: str | None = None) -> list[DeadLetter]:
        return self._list("/dead-letters", DeadLetter, durable=durable)

    def dead_letter(self, letter: str) -> DeadLetterContent:
        return self._get(f"/dead-letters/{_part(letter)}", DeadLetterContent)

    def replay_dead_letter(self, letter: str) -> DeadLetter:
        return self._post(f"/dead-letters/{_part(letter)}/replay", None, DeadLetter)

    def open_export(self, tenant: str, restore_point: str, body: api.ExportBody) -> api.Download:
        return self._post(f"{_point(tenant, restore_point)}/exports", body, api.Download)

    def open_item(self, tenant: str, point: str, item: str, attachment: int | None) -> api.Download:
        """The item as it is stored, or one of its attachments."""
        body = api.ItemDownloadBody(attachment=attachment)
        return self._post(f"{_point(tenant, point)}/items/{_part(item)}/downloads", body, api.Download)

    @contextmanager
    def download(self, place: api.Download) -> Iterator[Iterator[bytes]]:
        """The bytes of an opened export as they arrive; a connection that breaks raises `Unreachable`."""
        if not place.url.startswith(f"{ROOT}/"):
            raise not_ours(f"download at {place.url[:40]}")
        with self._explained(), self._http.stream("GET", place.url) as answer:
            if answer.status_code != httpx.codes.OK:
                answer.read()
                raise problem_of(answer)
            yield answer.iter_bytes()


def connect(screen: Screen) -> Gateway:
    """The gateway of the stored session; what is waited for is told on `screen`."""
    home, chosen = settings.home(), settings.load()
    patience = Patience(SystemClock(), screen.notice, chosen.patience)
    return Gateway(session.access(home, session.load(home), chosen.ca_file), patience)


def _point(tenant: str, point: str) -> str:
    return f"/tenants/{_part(tenant)}/restore-points/{_part(point)}"


def _configuration(tenant: str, configuration: str) -> str:
    return f"/tenants/{_part(tenant)}/backup-configurations/{_part(configuration)}"


def _token(tenant: str, profile: Profile) -> str:
    return f"/tenants/{_part(tenant)}/profiles/{_part(profile)}/token"


def _incident(tenant: str, incident: str) -> str:
    return f"/tenants/{_part(tenant)}/incidents/{_part(incident)}"
