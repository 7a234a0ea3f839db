"""Settings of a bucket for logs, in any store that speaks S3."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from spackmon.setting_values import BaseUrl, Truth


def _bucket(value: str) -> str:
    if not 3 <= len(value) <= 63 or not all(
        one.isascii() and (one.isalnum() or one in "-._") for one in value
    ):
        raise ValueError("expected the name of a bucket, such as spackmon-logs")
    return value


def _prefix(value: str) -> str:
    folders = value.strip("/")
    if not folders or not all(one.isascii() and (one.isalnum() or one in "-._/") for one in folders):
        raise ValueError("expected folders such as site/logs, of letters, digits, dots, - and _")
    return folders


class LogBucketSettings(BaseSettings):
    """What `Settings` has of this; docs/settings.md says the same for people."""

    log_bucket: Annotated[str, AfterValidator(_bucket)] | None = Field(
        default=None,
        description="The bucket that texts of logs are moved to, of an S3-compatible store "
        "(docs/data-life.md). Not set: they stay in the database.",
    )
    log_bucket_endpoint: BaseUrl | None = Field(
        default=None,
        description="The address of the store, as `https://s3.example.org`. Not set: that of AWS.",
    )
    log_bucket_region: str = Field(default="us-east-1", description="The region that the store is asked for.")
    log_bucket_prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        default="spackmon/logs",
        description="What the names of all objects begin with; each database needs its own.",
    )
    log_bucket_access_key: SecretStr | None = Field(
        default=None,
        description="The access key's id. Not set: what AWS's own programs would find, such as the role of "
        "the machine.",
    )
    log_bucket_secret_key: SecretStr | None = Field(default=None, description="The secret of that key.")
    log_bucket_read_only: Truth = Field(
        default=False,
        description="Read what is in the bucket, and neither add nor remove anything.",
    )
    log_bucket_kept_days: int = Field(
        default=30,
        ge=0,
        le=36_500,
        description="For how many days an object stays that no log refers to any longer: as long as backups "
        "are kept.",
    )
