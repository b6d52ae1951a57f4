"""The one place where configuration is read: environment variables, each described here.

Every variable is `LEDGER_<NAME>`; `HOST` and `PORT` are understood without the prefix too.
"""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ledger.seal.addresses import addresses


class Settings(BaseSettings):
    """What a process of the ledger needs to know before it can start.

    Raises pydantic.ValidationError, naming variable and reason, when a value makes no sense.
    """

    model_config = SettingsConfigDict(
        env_prefix="LEDGER_", frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    home: Path = Field(
        default=Path(".ledger"),
        description="Directory of the embedded PostgreSQL and of files the ledger keeps beside it.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="Connection string of a PostgreSQL server (15 or later). Without it the embedded one is started.",
    )
    owner_url: SecretStr | None = Field(
        default=None,
        description="Connection string of the role that owns the log, for `reqledger migrate` alone. Without it, that "
        "command connects as the others do.",
    )
    host: str = Field(
        default="127.0.0.1",
        validation_alias=AliasChoices("LEDGER_HOST", "HOST"),
        description="Address the HTTP server listens on.",
    )
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        validation_alias=AliasChoices("LEDGER_PORT", "PORT"),
        description="Port the HTTP server listens on; 0 takes a free one.",
    )
    max_body_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1024, description="Largest request body accepted, in bytes."
    )
    max_batch_events: int = Field(default=10_000, ge=1, description="Most events in one request.")
    max_page_rows: int = Field(default=1_000, ge=1, description="Most rows in one page of a list.")
    queue_events: int = Field(
        default=20_000, ge=1, description="Most events waiting to be appended before requests are answered with 503."
    )
    queue_seconds: float = Field(
        default=5.0,
        gt=0,
        description="How long the event that waits longest to be appended may have waited before requests are answered "
        "with 503, in seconds.",
    )
    queue_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1024,
        description="Most bytes of request bodies that are read or wait to be appended, of all requests together, "
        "before requests are answered with 503.",
    )
    transaction_events: int = Field(
        default=4_000, ge=1, description="Most events taken together into one append transaction."
    )
    clock_skew_seconds: int = Field(
        default=300, ge=0, description="How far `time` of an event may lie after the moment it is recorded, in seconds."
    )
    cached_streams: int = Field(
        default=50_000,
        ge=100,
        description="Aggregate states kept in memory for deciding, the least recently used go first.",
    )
    pool_connections: int = Field(
        default=10,
        ge=1,
        description="Most database connections of one process for reading (it uses four more, and "
        "one for each of its witnesses).",
    )
    pool_timeout_seconds: float = Field(
        default=10.0, gt=0, description="How long a request waits for a database connection, in seconds."
    )
    lock_timeout_seconds: float = Field(
        default=20.0, gt=0, description="How long an append waits for another process to finish its own, in seconds."
    )
    poll_seconds: float = Field(
        default=1.0, gt=0, description="How often the head is asked for when no notification arrives, in seconds."
    )
    watch_seconds: float = Field(
        default=3600.0,
        ge=0,
        description="How often a serving process raises the churn alerts that are due, in seconds; 0 for never.",
    )
    replay_memory_mb: int = Field(
        default=3_000,
        ge=100,
        description="Memory a replay takes before it goes on to disk, in MB. A process runs four at most: a rebuild, "
        "two questions about the past, and the tables of the last moment asked for.",
    )
    key_days: int = Field(default=365, ge=1, description="Days a new API key is valid unless said otherwise.")
    seal_seconds: float = Field(
        default=0.5,
        ge=0,
        le=60,
        description="Least time between two checkpoints under a steady load, in seconds. What was appended since the "
        "last one is not proven yet.",
    )
    seal_origin: str | None = Field(
        default=None,
        pattern=r"^[^\s+]+$",
        description="The name this ledger's checkpoints bear, such as example.com/ledger; read when its seal key is "
        "made. Without it, the name is requirements-ledger/ and the ledger's id.",
    )
    seal_key: SecretStr | None = Field(
        default=None, description="The key that signs checkpoints, itself: PRIVATE+KEY+name+hash+base64."
    )
    seal_key_file: Path | None = Field(
        default=None,
        description="File with the key that signs checkpoints. Without it, seal-<ledger id>.key in LEDGER_HOME.",
    )
    witnesses: SecretStr = Field(
        default=SecretStr(""),
        description="Where checkpoints are held outside, with spaces between: file:///path, a webhook's URL, or the "
        "URL of a C2SP witness with its key behind a #, https://witness.example#name+hash+base64.",
    )
    witness_seconds: float = Field(
        default=10.0,
        ge=0.1,
        le=86_400,
        description="Least time between two checkpoints given to a webhook or a witness, in seconds; a file is given "
        "one a second at most. Where one fails, it is twice as long each time, up to ten minutes.",
    )
    encrypt: bool | None = Field(
        default=None,
        description="Whether a new ledger keeps personal texts encrypted, which is decided when it is created. "
        "Without it, it does, unless it is made for simulation.",
    )
    wrapping_key: SecretStr | None = Field(
        default=None,
        description="The key-encryption keys, themselves: 32 bytes in base64 each, the first one wraps data keys.",
    )
    wrapping_key_file: Path | None = Field(
        default=None,
        description="File with the key-encryption keys, one a line. Without it, wrapping-<ledger id>.key in "
        "LEDGER_HOME.",
    )
    erasure_register: Path | None = Field(
        default=None,
        description="File that says what was erased, so that it is erased again after a restore. Without it, "
        "erasures-<ledger id>.jsonl in LEDGER_HOME.",
    )
    log_level: str = Field(default="INFO", description="Least level written to the log: DEBUG, INFO, WARNING, ERROR.")

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, level: str) -> str:
        if level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
            raise ValueError("must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL")
        return level.upper()

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

    @field_validator("witnesses")
    @classmethod
    def _known_addresses(cls, text: SecretStr) -> SecretStr:
        addresses(text.get_secret_value())
        return text

    @field_validator("database_url", "owner_url", "seal_key", "wrapping_key")
    @classmethod
    def _not_blank(cls, url: SecretStr | None) -> SecretStr | None:
        return url if url is not None and url.get_secret_value().strip() else None
