"""What `tenantkeep recover rewrap` and `rotate` do: the repository's data keys and a key of a vault."""

from backup_engine import RecoveryPublicKey
from backup_engine.key_records import TRANSIT, KeyRecord
from backup_engine.rotation import RepositoryKeys
from contracts.texts import Text
from tenantkeep.commands.errors import CommandError
from tenantkeep.commands.output import Screen
from tenantkeep.exit_codes import ExitCode
from tenantkeep.recover import keyfile
from tenantkeep.recover.access import Access
from tenantkeep.recover.actions import open_repository
from tenantkeep.recover.explain import explained
from tenantkeep.recover.transit import TransitKey, VaultAccess, transit_key


def rewrap(access: Access, screen: Screen, vault: VaultAccess, transit_name: str) -> None:
    """Wrap every data key to a key of a new vault; what the recovery key opens stays."""
    with explained():
        repository = open_repository(access, screen)
        with transit_key(vault, transit_name or f"tenant-{repository.tenant}") as wrapper:
            done = repository.keys.rewrap(wrapper)
            for record in repository.keys.records():
                _prove(wrapper, record)
    if screen.as_json:
        screen.document({"tenant": repository.tenant, "written": done.written, "transit_key": wrapper.name})
        return
    screen.say(
        Text(
            "{} data keys are wrapped by {} now, and each was unwrapped again. Backups go on as "
            "soon as the vault holds the target's credentials, too.",
            "{} Datenschlüssel sind jetzt mit {} verschlüsselt und wurden probeweise entschlüsselt. "
            "Sicherungen laufen weiter, sobald der Vault auch die Zugangsdaten des Ziels enthält.",
        ),
        len(done.written),
        wrapper.name,
    )


def rotate(access: Access, screen: Screen, vault: VaultAccess, transit_name: str) -> None:
    """Draw the next data key, wrapped to the vault's key and to the recovery key; what is stored keeps its own."""
    with explained():
        repository = open_repository(access, screen)
        assert access.key is not None  # open_repository has refused that
        with transit_key(vault, transit_name or f"tenant-{repository.tenant}") as wrapper:
            for record in repository.keys.records():
                _prove(wrapper, record)  # a vault that does not open the old ones is not the services'
            n = _drawn(repository.keys, wrapper, keyfile.read(access.key).public)
            _prove(wrapper, repository.keys.records()[-1])
    if screen.as_json:
        screen.document({"tenant": repository.tenant, "data_key": n, "transit_key": wrapper.name})
        return
    screen.say(
        Text(
            "Data key {} is drawn and wrapped by {} and by the recovery key. Who opens the repository from now on "
            "writes under it; restart the workers to have it at once. What is stored stays under the older keys: all "
            "are needed.",
            "Datenschlüssel {} ist erzeugt und mit {} und mit dem Wiederherstellungsschlüssel verschlüsselt. Wer das "
            "Repository ab jetzt öffnet, schreibt damit; für sofort die Worker neu starten. Gespeichertes bleibt unter "
            "den älteren Schlüsseln: alle werden gebraucht.",
        ),
        n,
        wrapper.name,
    )


def _drawn(keys: RepositoryKeys, wrapper: TransitKey, recovery: RecoveryPublicKey) -> int:
    try:
        return keys.rotate(wrapper, recovery)
    except ValueError as error:
        raise CommandError(
            Text(
                "Not every data key is wrapped to this recovery key and to no other.",
                "Nicht jeder Datenschlüssel ist mit genau diesem Wiederherstellungsschlüssel verschlüsselt.",
            ),
            Text(
                "Let a backup run, which wraps them anew; `tenantkeep recover … keys` shows them.",
                "Eine Sicherung laufen lassen, die sie neu verschlüsselt; `tenantkeep recover … keys` zeigt sie.",
            ),
            ExitCode.FAILED,
            code="recovery-key-differs",
        ) from error


def _prove(wrapper: TransitKey, record: KeyRecord) -> None:
    """A wrap counts when the vault opens it again."""
    for wrap in record.of_kind(TRANSIT):
        wrapper.unwrap(wrap["ciphertext"])
