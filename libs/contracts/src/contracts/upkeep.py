"""What verification, drills and maintenance of a repository found; shown with the job that did it."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ObjectProblem(Report):
    """Something wrong with a stored object or with an item that was test-restored."""

    kind: str
    key: str
    detail: str = ""


class CheckReport(Report):
    """What a verification or a drill found. `covered` of `denominator` were good; a percentage needs both."""

    level: Literal[2, 3] = Field(description="2: stored objects read whole; 3: items restored and compared")
    covered: int
    denominator: int
    population: int = Field(description="objects, or items, there are in all")
    bytes: int = Field(description="bytes read")
    receipt: int = Field(description="number of the receipt in the repository")
    read_since: AwareDatetime | None = Field(
        default=None, description="everything was read whole then or later; None: not everything has been read yet"
    )
    problem_count: int = 0
    problems: tuple[ObjectProblem, ...] = Field(default=(), description="the first of them")
    affected_items: int = Field(default=0, description="items of restore points that nothing stored can give any more")
    repaired_blobs: int = Field(default=0, description="saved from damaged packs and stored again")
    repaired_packs: int = Field(default=0, description="named again after the index had lost them")


class MaintenanceReport(Report):
    """What maintenance did. What waits for its grace or for a lock is done by a later run."""

    expired: int = Field(description="restore points removed because their time was over and nothing held them")
    deleted: int = Field(description="objects deleted")
    deleted_bytes: int
    locked: int = Field(description="objects whose removal the storage refused for now")
    rewritten: int = Field(description="sparse packs rewritten")
    merged: int = Field(description="index objects merged")
    packs: int
    stored_bytes: int = Field(description="bytes of the packs that remain")
    waste_bytes: int = Field(description="of these, bytes nothing needs")
    sweep_after: AwareDatetime | None = Field(default=None, description="when what was condemned may be deleted")
    problems: tuple[ObjectProblem, ...] = ()
