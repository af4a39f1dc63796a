"""`tenantkeep offboard`: one command that does the next step, and nothing irreversible unless the name is typed."""

from pathlib import Path
from typing import Annotated

import typer

from contracts.api import AttestedKeyBody, ExportDecisionBody, ShreddingBody
from contracts.offboarding import OffboardingBlock, OffboardingState, OffboardingView
from contracts.offboarding_texts import BLOCKS, DEEDS, STATES
from contracts.texts import Text
from tenantkeep.commands import figures, labels
from tenantkeep.commands.client import connect
from tenantkeep.commands.errors import Refused, usage
from tenantkeep.commands.offboarding.proof import proof
from tenantkeep.commands.offboarding.questions import Offboardings
from tenantkeep.commands.offboarding.vault_keys import ROLE, ShredderAccess, destroy, embedded_access
from tenantkeep.commands.options import Json, Lang
from tenantkeep.commands.output import Screen, reported
from tenantkeep.commands.papers.command import Format, Language, Out, german_or_english, write
from tenantkeep.commands.papers.document import PaperFormat, render
from tenantkeep.exit_codes import ExitCode

_NOT_FOUND = 404
_WAITING = frozenset({OffboardingBlock.STILL_RUNNING, OffboardingBlock.BACKUPS_UNKNOWN})


Exported = Annotated[str | None, typer.Option(help="Data was exported: what, and to whom it went.")]
NoExport = Annotated[str | None, typer.Option(help="No export: why not.")]
DestroyedBy = Annotated[
    str | None,
    typer.Option(
        "--recovery-key-destroyed-by", help="Who at the customer says that every copy of the key file is destroyed."
    ),
]
VaultUrl = Annotated[str | None, typer.Option(help="URL of the vault. [default: the embedded stack's]")]
VaultRole = Annotated[str, typer.Option(help="Role id of the vault's role that may destroy keys.")]
VaultSecret = Annotated[Path | None, typer.Option(help="File with its secret id.", exists=True, dir_okay=False)]
VaultCa = Annotated[Path | None, typer.Option(help="CA of the vault.", exists=True, dir_okay=False)]


@reported
def offboard(
    *,
    tenant: Annotated[str, typer.Argument(help="Slug of the tenant.")],
    begin: Annotated[bool, typer.Option("--stop", help="Begin: pause every backup, deactivate the tokens.")] = False,
    exported: Exported = None,
    no_export: NoExport = None,
    yes_shred: Annotated[
        str | None, typer.Option(metavar="TENANT", help="Destroy the vault's key; type the slug once more.")
    ] = None,
    destroyed_by: DestroyedBy = None,
    fingerprint: Annotated[
        str | None, typer.Option("--recovery-key", help="Which one, by its fingerprint. [default: the only one left]")
    ] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Go back, as long as shredding is not ordered.")] = False,
    vault: VaultUrl = None,
    vault_role_id: VaultRole = ROLE,
    vault_secret_id_file: VaultSecret = None,
    vault_ca_file: VaultCa = None,
    language: Language = "en",
    wanted: Format = PaperFormat.HTML,
    out: Out = None,
    lang: Lang = "en",
    as_json: Json = False,
) -> None:
    """End a tenant: stop, export, shred, proof. Without options it shows the record and the next step.

    Stop pauses every backup and deactivates the tokens; nothing stored is touched. The export is offered, and what
    became of it is recorded. Shredding makes everything unreadable for ever: it is refused while a legal hold or the
    tenant's least retention covers anything, destroys the vault's key, and is complete when the customer has destroyed
    every copy of the recovery key. --out writes the proof, at any time. The name is never given to another tenant.

    Example: tenantkeep offboard contoso --stop

    Example: tenantkeep offboard contoso --exported "ZIP files of 12 mailboxes to Erika Beispiel"

    Example: tenantkeep offboard contoso --yes-shred contoso

    Example: tenantkeep offboard contoso --recovery-key-destroyed-by "Erika Beispiel" --language de --out proof.html
    """
    screen = Screen(lang, as_json=as_json)
    decision = _checked(tenant, yes_shred, exported, no_export)
    with connect(screen) as gateway:
        known, asked = gateway.tenant(tenant), Offboardings(gateway, tenant)
        if cancel:
            asked.cancel()
        if begin:
            asked.begin()
        if decision is not None:
            asked.decide_export(decision)
        if yes_shred is not None:
            _shred(asked, tenant, _access(vault, vault_role_id, vault_secret_id_file, vault_ca_file))
        if destroyed_by is not None:
            _attest(asked, destroyed_by, fingerprint)
        found = _found(asked, tenant)
    _tell(screen, found, render(proof(known, found, german_or_english(language)), wanted), out)
    raise typer.Exit(ExitCode.STILL_WAITING if found.block in _WAITING else ExitCode.SUCCEEDED)


def _checked(
    tenant: str, yes_shred: str | None, exported: str | None, no_export: str | None
) -> ExportDecisionBody | None:
    """What is decided about the export; a usage error before anything is asked."""
    if yes_shred is not None and yes_shred != tenant:
        raise usage(f"--yes-shred {yes_shred} is not {tenant}.", f"--yes-shred {yes_shred} ist nicht {tenant}.")
    if exported is not None and no_export is not None:
        raise usage("Give --exported or --no-export.", "--exported oder --no-export angeben.")
    if exported is None and no_export is None:
        return None
    return ExportDecisionBody(exported=exported is not None, note=exported or no_export or "")


def _tell(screen: Screen, found: OffboardingView, document: str, out: Path | None) -> None:
    if out is not None:
        write(out, document)
    if screen.as_json:
        screen.document({"offboarding": found, "document": document})
    else:
        _show(screen, found, out)


def _shred(asked: Offboardings, tenant: str, access: ShredderAccess) -> None:
    """Order it, and only then destroy what the order names."""
    ordered = asked.order_shredding(ShreddingBody(confirm=tenant))
    if ordered.state is OffboardingState.SHREDDING:
        destroy(access, tenant, [key.name for key in ordered.keys if key.kind == "transit"])


def _attest(asked: Offboardings, by: str, fingerprint: str | None) -> None:
    left = [key.name for key in asked.record().keys if key.kind == "recovery" and not key.destroyed_at]
    chosen = [name for name in left if fingerprint is None or name.startswith(fingerprint)]
    if len(chosen) != 1:
        there = ", ".join(name[:16] for name in left) or "–"
        raise usage(
            f"Which recovery key? --recovery-key; there are: {there}",
            f"Welcher Wiederherstellungsschlüssel? --recovery-key; vorhanden: {there}",
        )
    asked.attest_recovery_key(AttestedKeyBody(fingerprint=chosen[0], by=by))


def _access(url: str | None, role_id: str, secret_id_file: Path | None, ca_file: Path | None) -> ShredderAccess:
    if url is None:
        return embedded_access()
    if secret_id_file is None:
        raise usage("--vault goes with --vault-secret-id-file.", "--vault braucht --vault-secret-id-file.")
    return ShredderAccess(url, role_id, secret_id_file, ca_file)


def _found(asked: Offboardings, tenant: str) -> OffboardingView:
    try:
        return asked.record()
    except Refused as error:
        if error.problem.status != _NOT_FOUND:
            raise
        raise usage(
            f"{tenant} is not being offboarded. Begin: tenantkeep offboard {tenant} --stop",
            f"{tenant} wird nicht abgemeldet. Beginnen: tenantkeep offboard {tenant} --stop",
        ) from None


def _show(screen: Screen, found: OffboardingView, out: Path | None) -> None:
    screen.say(Text("{}: {}", "{}: {}"), found.tenant, screen.text(STATES[found.state]))
    rows = [(figures.moment(one.at), screen.text(DEEDS[one.deed]), one.by, one.note) for one in found.deeds]
    screen.table((labels.DATE, labels.STEP, labels.BY, labels.DETAIL), rows)
    if found.holdings is not None:
        held = found.holdings
        screen.say(
            Text(
                "Still held: {} restore points, the newest of {}; legal holds: {}; least retention until {}",
                "Noch vorhanden: {} Wiederherstellungspunkte, der neueste vom {}; Aufbewahrungsanordnungen: {}; "
                "Mindestaufbewahrung bis {}",
            ),
            held.restore_points,
            figures.moment(held.newest_restore_point_at) or "–",
            held.legal_holds,
            figures.moment(held.held_until) or "–",
        )
    if found.block is not None:
        screen.say(Text("Next: {}", "Weiter: {}"), screen.text(BLOCKS[found.block]).format(tenant=found.tenant))
    elif found.state is OffboardingState.EXPORT_DECIDED:
        screen.say(
            Text(
                "Next, and for ever: tenantkeep offboard {} --yes-shred {}",
                "Weiter, und endgültig: tenantkeep offboard {} --yes-shred {}",
            ),
            found.tenant,
            found.tenant,
        )
    if out is not None:
        screen.say(Text("The proof is in {}.", "Der Nachweis liegt in {}."), out)
