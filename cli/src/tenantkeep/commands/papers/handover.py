"""The hand-over document: the four things a customer has to know before a tenant is theirs to use."""

from dataclasses import dataclass
from datetime import datetime

from contracts import onboarding_texts
from contracts.names import ConsentSource, Profile
from contracts.onboarding import OnboardingStep, OnboardingView
from contracts.texts import Text, render
from contracts.token_texts import CONSENT_SOURCES
from contracts.views import Tenant, TokenView
from tenantkeep.commands import labels
from tenantkeep.commands.contacts import support_of, written
from tenantkeep.commands.papers.document import Paper, Section, stamp

_TITLE = Text("Hand-over", "Übergabe")
_MADE = Text("Made by Tenantkeep on {}.", "Erstellt von Tenantkeep am {}.")
_STATUS = Text("You know where the token status is", "Sie wissen, wo der Token-Status steht")
_STATUS_TEXT = Text(
    "The state of every token is shown at this address, and by: tenantkeep tenant show {}",
    "Der Zustand jedes Tokens steht unter dieser Adresse und mit: tenantkeep tenant show {}",
)
_CONTACT = Text("You know the contact for problems", "Sie kennen den Ansprechpartner bei Problemen")
_NO_CONTACT = Text("No contact is named yet.", "Es ist noch kein Ansprechpartner hinterlegt.")
_CONSENT = Text("Admin consent was given by your administrator", "Admin-Consent wurde von Ihrem Administrator erteilt")
_NO_CONSENT = Text("Admin consent is not effective.", "Der Admin-Consent ist nicht wirksam.")
_CONSENT_BY_NOBODY = Text(
    "The consent is effective; who gave it is not recorded yet for every profile.",
    "Der Consent ist wirksam; wer ihn erteilt hat, ist noch nicht für jedes Profil festgehalten.",
)
_BACKUP = Text("The test backup succeeded", "Das Test-Backup war erfolgreich")
_NO_BACKUP = Text("No test backup has succeeded yet.", "Es ist noch kein Test-Backup erfolgreich gelaufen.")
_STATE = Text("State of the onboarding", "Stand der Einrichtung")
_KEY = Text("Your recovery key", "Ihr Wiederherstellungsschlüssel")
_KEY_TEXT = Text(
    "You alone keep its file and passphrase. Together with the storage they open every backup without us.",
    "Datei und Passphrase haben nur Sie. Zusammen mit dem Speicher öffnen sie jedes Backup ohne uns.",
)
_NO_KEY = Text(
    "There is none: who loses the vault loses the backups.",
    "Es gibt keinen: Wer den Vault verliert, verliert die Backups.",
)
_BY, _AT = Text("Given by ({})", "Erteilt von ({})"), Text("Proven effective since", "Wirksam nachgewiesen seit")
_NOBODY = Text("not recorded", "nicht festgehalten")
_SECURITY = Text("For security incidents", "Bei Sicherheitsvorfällen")
_SUPPORT = Text("For problems", "Bei Problemen")
_FINGERPRINT = Text("Fingerprint", "Fingerabdruck")


@dataclass(frozen=True)
class Giver:
    """Who gave the consent of one profile, as the record of its token says, and how that is known; empty: nobody."""

    profile: Profile
    name: str = ""
    source: ConsentSource | None = None


@dataclass(frozen=True)
class Handover:
    """What the document is made of."""

    tenant: Tenant
    onboarding: OnboardingView
    tokens: tuple[TokenView, ...]
    status_url: str
    givers: tuple[Giver, ...]

    @property
    def complete(self) -> bool:
        """All four points are fulfilled."""
        return all(section.done is not False for section in self.paper("en").sections)

    def paper(self, language: str) -> Paper:
        """The document in `en` or `de`; it is as of the last look at the onboarding."""

        def say(text: Text) -> str:
            return render(text, language)

        return Paper(
            language=language,
            title=say(_TITLE),
            subject=f"{self.tenant.display_name} ({self.tenant.tenant}, {self.tenant.entra_tenant_id})",
            made=say(_MADE).format(stamp(self.onboarding.looked_at)),
            sections=(
                self._status(language),
                self._contact(language),
                self._consent(language),
                self._backup(language),
                Section(say(_STATE), facts=self._steps(language)),
                self._recovery_key(language),
            ),
        )

    def _status(self, language: str) -> Section:
        states = tuple((token.profile.value, labels.code(token.status, language)) for token in self.tokens)
        text = render(_STATUS_TEXT, language).format(self.tenant.tenant)
        link = (self.status_url, self.status_url)
        return Section(render(_STATUS, language), done=True, text=text, link=link, facts=states)

    def _contact(self, language: str) -> Section:
        title, support = render(_CONTACT, language), support_of(self.tenant)
        if not support:
            return Section(title, done=False, text=render(_NO_CONTACT, language))
        facts = [(render(_SUPPORT, language), support)]
        if self.tenant.contacts.security is not None:
            facts.append((render(_SECURITY, language), written(self.tenant.contacts.security)))
        return Section(title, done=True, facts=tuple(facts))

    def _consent(self, language: str) -> Section:
        title = render(_CONSENT, language)
        since = self._reached(OnboardingStep.CONSENT_EFFECTIVE)
        if since is None:
            return Section(title, done=False, text=render(_NO_CONSENT, language))
        at = (render(_AT, language), stamp(since))
        facts = (*(_given(giver, language) for giver in self.givers), at)
        if not self.givers or not all(giver.name for giver in self.givers):
            return Section(title, done=False, text=render(_CONSENT_BY_NOBODY, language), facts=facts)
        return Section(title, done=True, facts=facts)

    def _backup(self, language: str) -> Section:
        title, proven = render(_BACKUP, language), self.onboarding.test_backup
        if proven is None:
            return Section(title, done=False, text=render(_NO_BACKUP, language))
        facts = (
            (render(labels.RUN, language), proven.run),
            (render(labels.STATE, language), labels.code(proven.state, language)),
            (render(labels.DATE, language), stamp(proven.finished_at)),
        )
        return Section(title, done=True, facts=facts)

    def _recovery_key(self, language: str) -> Section:
        key = self.tenant.recovery_key
        if key is None:
            return Section(render(_KEY, language), text=render(_NO_KEY, language))
        facts = ((render(_FINGERPRINT, language), key.fingerprint),)
        return Section(render(_KEY, language), text=render(_KEY_TEXT, language), facts=facts)

    def _steps(self, language: str) -> tuple[tuple[str, str], ...]:
        return tuple(
            (render(onboarding_texts.STEPS[step.step], language), stamp(step.reached_at))
            for step in self.onboarding.steps
        )

    def _reached(self, step: OnboardingStep) -> datetime | None:
        return next((one.reached_at for one in self.onboarding.steps if one.step is step), None)


def _given(giver: Giver, language: str) -> tuple[str, str]:
    source = "" if giver.source is None else f" ({render(CONSENT_SOURCES[giver.source], language)})"
    return render(_BY, language).format(giver.profile), f"{giver.name or render(_NOBODY, language)}{source}"
