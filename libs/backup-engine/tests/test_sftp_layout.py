"""Objects and files are one to one, and a listing looks into every folder that may hold what it asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup_engine import InvalidName
from backup_engine.storage.sftp_layout import all_folders, folders_of, key_of, path_of

KINDS = ("keys", "data", "index", "manifests", "snapshots", "sessions", "gc", "holds", "receipts", "exports", "x")
PARTS = st.text("abAB01._@-% ü", min_size=1, max_size=6).filter(lambda part: part not in {".", ".."})
KEYS = st.builds("/".join, st.lists(st.one_of(st.sampled_from(KINDS), PARTS), min_size=1, max_size=5))
FOLDERS = {name for level in all_folders() for name in level}


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("config", "other/config"),
        ("keys/1", "keys/1"),
        ("gc/000001/condemned", "gc/000001%2Fcondemned"),
        ("data/01ARZ3NDEKTSV4RRFFQ0000001/000000-ab", "data/2e/01ARZ3NDEKTSV4RRFFQ0000001%2F000000-ab"),
        ("snapshots/box/anna@x/01ARZ3NDEKTSV4RRFFQ0000001", "snapshots/31/box%2Fanna@x%2F01ARZ3NDEKTSV4RRFFQ0000001"),
        (".hidden", "other/%2Ehidden"),
    ],
)
def test_the_places_of_the_specification(key: str, path: str) -> None:
    assert path_of(key) == path


def test_the_number_of_folders_of_the_specification() -> None:
    top, inside = all_folders()
    assert (len(top), len(inside)) == (14, 160)


@given(KEYS)
def test_every_key_has_one_place_and_every_place_one_key(key: str) -> None:
    folder, _, name = path_of(key).rpartition("/")
    assert folder in FOLDERS
    assert key_of(folder, name) == key
    assert not name.startswith(".")
    assert name.isascii()


@given(KEYS, st.integers(0, 40))
def test_a_listing_reads_the_folder_of_every_key_that_begins_so(key: str, length: int) -> None:
    read = folders_of(key[:length])
    assert path_of(key).rpartition("/")[0] in read
    assert set(read) <= FOLDERS
    assert len(read) == len(set(read))


def test_what_the_engine_lists_often_is_in_one_folder() -> None:
    for prefix in ("data/01ARZ3NDEKTSV4RRFFQ0000001/", "snapshots/box/anna/", "sessions/01ARZ3NDEKTSV4RRFFQ0000001/"):
        assert len(folders_of(prefix)) == 1


def test_a_name_no_file_can_have_is_refused() -> None:
    with pytest.raises(InvalidName, match="255"):
        path_of("snapshots/" + "a" * 128 + "/" + "b" * 128)
