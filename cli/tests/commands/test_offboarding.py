"""The end of a tenant as people run it: nothing irreversible without the name typed, and a proof in both languages."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.offboarding import (
    Deed,
    Holdings,
    KeyOfRepository,
    OffboardingBlock,
    OffboardingDeed,
    OffboardingState,
    OffboardingView,
)
from contracts.offboarding_texts import BLOCKS, DEEDS, STATES
from contracts.problem import Problem

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
KEY = "3f" * 32


def record(state: OffboardingState, *, block: OffboardingBlock | None = None, gone: bool = False) -> OffboardingView:
    at, by = (NOW, "Erika Beispiel") if gone else (None, "")
    return OffboardingView(
        tenant="contoso",
        state=state,
        deeds=(
            Deed(deed=OffboardingDeed.BEGUN, at=NOW, by="anna"),
            Deed(deed=OffboardingDeed.EXPORTED, at=NOW, by="anna", note="12 ZIP files to <b>Erika</b>"),
        ),
        keys=(
            KeyOfRepository(kind="transit", name="tenant-contoso", destroyed_at=at, destroyed_by=by),
            KeyOfRepository(kind="recovery", name=KEY, destroyed_at=at, destroyed_by=by),
        ),
        holdings=Holdings(tenant="contoso", restore_points=7, legal_holds=1, scheduled=0, running=0),
        block=block,
    )


def test_without_options_it_shows_the_record_what_is_held_and_the_next_step(signed_in: Any, tenantkeep: Any) -> None:
    signed_in.offboarding = record(OffboardingState.EXPORT_DECIDED, block=OffboardingBlock.LEGAL_HOLD)
    done = tenantkeep("offboard", "contoso", "--lang", "de")
    assert done.exit_code == 0
    for text in ("7 Wiederherstellungspunkte", "Aufbewahrungsanordnungen: 1", "tenantkeep backup hold list", "anna"):
        assert text in done.output
    assert signed_in.bodies == []
    signed_in.offboarding = record(OffboardingState.STOPPING, block=OffboardingBlock.STILL_RUNNING)
    assert tenantkeep("offboard", "contoso").exit_code == 4


def test_a_tenant_that_is_not_offboarded_is_told_how_to_begin(signed_in: Any, tenantkeep: Any) -> None:
    done = tenantkeep("offboard", "contoso")
    assert done.exit_code == 2
    assert "tenantkeep offboard contoso --stop" in done.output


def test_each_step_is_asked_for_once_by_its_option(signed_in: Any, tenantkeep: Any) -> None:
    signed_in.offboarding = record(OffboardingState.STOPPED, block=OffboardingBlock.EXPORT_UNDECIDED)
    assert tenantkeep("offboard", "contoso", "--stop").exit_code == 0
    assert tenantkeep("offboard", "contoso", "--exported", "ZIP to Erika").exit_code == 0
    assert tenantkeep("offboard", "contoso", "--no-export", "not wanted").exit_code == 0
    assert tenantkeep("offboard", "contoso", "--recovery-key-destroyed-by", "Erika").exit_code == 0
    assert [(path.rpartition("/")[2], body) for path, body in signed_in.bodies] == [
        ("export", {"exported": True, "note": "ZIP to Erika"}),
        ("export", {"exported": False, "note": "not wanted"}),
        ("recovery-keys", {"fingerprint": KEY, "by": "Erika"}),
    ]


@pytest.mark.parametrize(
    "options",
    [
        ("--yes-shred", "fabrikam"),
        ("--yes-shred", "yes"),
        ("--exported", "a", "--no-export", "b"),
        ("--yes-shred", "contoso", "--vault", "https://vault.example"),
        ("--recovery-key-destroyed-by", "Erika", "--recovery-key", "abc"),
    ],
)
def test_a_slip_of_the_hand_changes_nothing(signed_in: Any, tenantkeep: Any, options: tuple[str, ...]) -> None:
    signed_in.offboarding = record(OffboardingState.EXPORT_DECIDED)
    assert tenantkeep("offboard", "contoso", *options).exit_code == 2
    assert signed_in.bodies == []


def test_what_the_service_refuses_reaches_no_vault(signed_in: Any, tenantkeep: Any, tmp_path: Path) -> None:
    signed_in.offboarding = record(OffboardingState.EXPORT_DECIDED)
    signed_in.problem = Problem(code="shredding-refused", status=409, title="No", errors=({"block": "legal_hold"},))
    secret = tmp_path / "secret"
    secret.write_text("hush")
    vault = ("--vault", "https://127.0.0.1:9", "--vault-secret-id-file", str(secret))
    done = tenantkeep("offboard", "contoso", "--yes-shred", "contoso", *vault)
    assert done.exit_code == 1
    assert "must not be made unreadable now" in done.output
    assert "vault" not in done.output.lower().replace("vault key", "")


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("name", ["html", "markdown"])
def test_the_proof_names_every_key_and_who_did_what(
    signed_in: Any, tenantkeep: Any, tmp_path: Path, language: str, name: str
) -> None:
    word = {"de": "durch anna", "en": "by anna"}[language]
    begin = {"html": "<!doctype html>", "markdown": "# "}[name]
    signed_in.offboarding = record(OffboardingState.SHREDDED, gone=True)
    out = tmp_path / "proof"
    options = ("--language", language, "--format", name, "--out", str(out))
    assert tenantkeep("offboard", "contoso", *options).exit_code == 0
    text = out.read_text(encoding="utf-8").replace("\\", "")
    assert text.startswith(begin)
    assert "<b>" not in out.read_text(encoding="utf-8").replace("\\<b", "")
    for fact in ("tenant-contoso", KEY, "Erika Beispiel", word, "☑"):
        assert fact in text
    signed_in.offboarding = record(OffboardingState.SHREDDING)
    document = json.loads(tenantkeep("offboard", "contoso", "--json").stdout)
    assert "☐" in document["document"]


def test_every_code_has_a_text_in_both_languages() -> None:
    for table, codes in ((STATES, OffboardingState), (DEEDS, OffboardingDeed), (BLOCKS, OffboardingBlock)):
        assert set(table) == set(codes)  # type: ignore[comparison-overlap] # each table with its enum
        for text in table.values():
            assert text.en != text.de
            assert all(language.format(tenant="contoso").strip() for language in text)
