"""What every ``[Backup]`` or ``[Backup NAME]`` section may say, whatever the destination is."""

from collections.abc import Hashable
from typing import Literal

from pydantic import Field

from dataverse_backup.brake import DEFAULT_THRESHOLDS
from dataverse_backup.config.values import (
    OF_MACHINE,
    Bandwidth,
    DirMode,
    Duration,
    FileMode,
    SchedulerAddress,
    SectionModel,
    Share,
    Size,
)

MEBIBYTE = 1024 * 1024
HOUR = 3600
DEFAULT_WORKERS = 4
"""Where there are fewer processors too: over a slow line workers wait most of their time. One starts when needed."""
MOST_WORKERS = 64
DAY = 86_400
"""Seconds."""


class DestinationSettings(SectionModel):
    """What every destination has. Holds no secret, and can be pickled for the workers."""

    name: str
    storage_type: str
    file_mode: FileMode = Field(0o640, alias="FileMode", description="The mode of every copy, in octal.")
    dir_mode: DirMode = Field(0o750, alias="DirMode", description="The mode of every folder made, in octal.")
    workers: int = Field(
        DEFAULT_WORKERS,
        alias="Workers",
        ge=1,
        le=MOST_WORKERS,
        description="How many processes copy at the same time, 1 to 64; one starts where there is work for it.",
        json_schema_extra=OF_MACHINE,
    )
    batch_files: int = Field(
        500,
        alias="BatchFiles",
        ge=1,
        le=100_000,
        description="The most files that are copied and recorded together.",
        json_schema_extra=OF_MACHINE,
    )
    batch_bytes: Size = Field(
        64 * MEBIBYTE,
        alias="BatchBytes",
        description="The most bytes that are copied and recorded together (a bigger file goes alone); K, M, G or T.",
        json_schema_extra=OF_MACHINE,
    )
    scheduler: SchedulerAddress | None = Field(
        None,
        alias="Scheduler",
        description="The scheduler of a Dask cluster, tcp://host:port or tls://host:port, whose workers copy instead of"
        " processes of this machine; needs the extra [cluster]. There Workers means nothing.",
        json_schema_extra=OF_MACHINE,
    )
    bandwidth_limit: Bandwidth | None = Field(
        None,
        alias="BandwidthLimit",
        description="The most bytes a second that are sent, and that an audit reads back, by all workers together, "
        "such as 20M; or a timetable in local time, such as 08:00,20M 18:00,off Sat-00:00,off.",
        examples=["08:00,20M 18:00,off"],
        json_schema_extra=OF_MACHINE,
    )
    max_duration: Duration | None = Field(
        None,
        alias="MaxDuration",
        description="So long a run may take, such as 90m or 6h. Then nothing more is begun, what is being copied has "
        "five minutes, and the next run goes on.",
        examples=["6h"],
        json_schema_extra=OF_MACHINE,
    )
    max_bytes: Size | None = Field(
        None,
        alias="MaxBytes",
        description="So many bytes a run may send, such as 500G or 2T. Then nothing more is begun, what is being "
        "copied is finished, and the next run goes on.",
        examples=["2T"],
        json_schema_extra=OF_MACHINE,
    )

    brake_share: Share = Field(
        DEFAULT_THRESHOLDS.share,
        alias="BrakeShare",
        description="When this share of a store vanished from the database, or of the sources that a run reads is "
        "missing, empty or not as registered, and they are as many as BrakeCount says, the run stops (exit code 5) "
        "until it is told --release-brake; by default 5%. It stops as well where all files of a store vanished.",
        json_schema_extra=OF_MACHINE,
    )
    brake_count: int = Field(
        DEFAULT_THRESHOLDS.files,
        alias="BrakeCount",
        ge=1,
        description="So many files of a store must be concerned before the brake is pulled, whatever their share.",
        json_schema_extra=OF_MACHINE,
    )
    database_dump: bool = Field(
        False,
        alias="DatabaseDump",
        description="Whether each run keeps a dump of the whole Dataverse database there too, by pg_dump, for its"
        " owner alone (mode 0600). It holds password hashes and API tokens. The role must be able to read everything.",
        json_schema_extra=OF_MACHINE,
    )
    database_dump_every: Duration = Field(
        20 * HOUR,
        alias="DatabaseDumpEvery",
        description="A run makes a dump only where the last one is older than that.",
        json_schema_extra=OF_MACHINE,
    )
    database_dump_keep: int = Field(
        14,
        alias="DatabaseDumpKeep",
        ge=1,
        le=100_000,
        description="So many dumps, the newest ones, are kept however old they are.",
        json_schema_extra=OF_MACHINE,
    )
    database_dump_keep_for: Duration = Field(
        30 * 24 * HOUR,
        alias="DatabaseDumpKeepFor",
        description="Dumps that are younger are kept however many they are; the others are removed.",
        json_schema_extra=OF_MACHINE,
    )

    prune_after: Duration = Field(
        365 * DAY,
        alias="PruneAfter",
        ge=DAY,
        description="So long ago a file must have left Dataverse, or a copy have been moved aside, before `prune` may "
        "delete the copy; by default 365d, at least 1d. Nothing else deletes copies, and `prune` only by a plan that "
        "it showed.",
        examples=["730d"],
        json_schema_extra=OF_MACHINE,
    )
    prune_share: Share = Field(
        0.05,
        alias="PruneShare",
        description="The most of the copies here, of their number and of their bytes, that one plan of `prune` may "
        "delete; by default 5%.",
        examples=["5%"],
        json_schema_extra=OF_MACHINE,
    )

    def place(self) -> Hashable:
        """What is equal for a destination or store in the same place, as far as we can see."""
        return self.storage_type, self.name


Verify = Literal["read-back", "service"]
"""What a copy in an object service is proven with."""
