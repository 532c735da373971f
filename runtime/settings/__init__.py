"""The settings: one frozen, typed class, read from environment variables, then from `.env`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from loguru import logger
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from quixstreams.kafka import ConnectionConfig

from runtime.errors import Misconfigured
from runtime.settings.environment import check_renamed, read_env_file, unknown_names
from runtime.settings.values import (
    TEXT,
    TOPIC_NAME,
    Addresses,
    Group,
    Host,
    Instance,
    LogFormat,
    LogLevel,
    Lower,
    Secret,
    Text,
    Topic,
    Unset,
    Upper,
    error_lines,
    pem_problem,
    setting,
)

ENV_FILE = Path(__file__).parent.parent.parent / ".env"
ADDRESS, TOKEN, PORTAL = "Quix__Broker__Address", "Quix__Sdk__Token", "Quix__Portal__Api"


class BrokerSettings(BaseModel):
    """The broker's address, security and log settings, which all commands share."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)  # each command builds one class

    address: Annotated[Addresses | None, Unset] = setting(
        ADDRESS,
        "localhost:29092",
        "host:port[,host:port...], with ports from 1 to 65535",
        "the brokers; one is enough to find the others",
    )
    sdk_token: Annotated[SecretStr | None, Unset] = setting(
        TOKEN, None, "set by Quix Cloud", "if set, the platform supplies the brokers and their credentials"
    )
    portal_api: Text = setting(PORTAL, None, "set by Quix Cloud", "the URL of Quix Cloud's API")
    workspace_id: Text = setting("Quix__Workspace__Id", None, "set by Quix Cloud", "the id of the environment")
    security_protocol: Annotated[Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] | None, Unset, Lower] = (
        setting(
            "BROKER_SECURITY_PROTOCOL",
            None,
            "plaintext, ssl, sasl_plaintext or sasl_ssl",
            "whether to use TLS (ssl) and authentication (sasl)",
        )
    )
    sasl_mechanism: Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None, Unset, Upper] = setting(
        "BROKER_SASL_MECHANISM", None, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", "how to authenticate"
    )
    sasl_username: Text = setting("BROKER_SASL_USERNAME", None, TEXT, "the user name")
    sasl_password: Secret = setting("BROKER_SASL_PASSWORD", None, TEXT, "the password")
    ssl_ca_location: Text = setting(
        "BROKER_SSL_CA_LOCATION", None, "a file in PEM format", "the CA certificates to trust"
    )
    ssl_certificate_location: Text = setting(
        "BROKER_SSL_CERTIFICATE_LOCATION", None, "a file in PEM format", "the client's certificate, for mutual TLS"
    )
    ssl_key_location: Text = setting(
        "BROKER_SSL_KEY_LOCATION", None, "a file in PEM format", "the client's private key"
    )
    ssl_key_password: Secret = setting(
        "BROKER_SSL_KEY_PASSWORD", None, TEXT, "the password of the private key, if it has one"
    )
    log_level: Annotated[LogLevel, Upper] = setting(
        "LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR", "DEBUG adds stack traces and each checkpoint"
    )
    log_format: Annotated[LogFormat, Lower] = setting(
        "LOG_FORMAT", "text", "text or json", "plain text, or one JSON object per line"
    )
    http_port: Annotated[int, Field(ge=0, le=65_535)] = setting(
        "HTTP_PORT", 0, "a port from 1 to 65535, or 0 for none", "serves the status page, metrics and probes"
    )
    http_host: Host = setting(
        "HTTP_HOST", "127.0.0.1", "an address or name of this machine, or empty for all", "where that port listens"
    )

    @classmethod
    def load(cls, env_file: Path | None = None, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings from the environment. `env_file` supplies those that are not set there.

        Raises:
            Misconfigured: some settings are wrong; the text is one line that names each and says what it must be.
        """
        in_file = read_env_file(env_file) if env_file else {}
        check_renamed(environment, in_file, env_file)
        known = {str(field.validation_alias) for fields in (cls, Settings) for field in fields.model_fields.values()}
        for name, nearest in unknown_names(environment, in_file, known).items():
            place = env_file if name in in_file else "the environment"
            hint = f"did you mean {nearest}?" if nearest else "docs/settings.md lists all"
            logger.warning("{} in {} has no effect: no setting has this name; {}", name, place, hint)
        values: dict[str, str | None] = {**in_file, **environment}
        if values.get(TOKEN) and not environment.get(ADDRESS):
            values[ADDRESS] = None
        elif not values.get(ADDRESS):
            values.pop(ADDRESS, None)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise Misconfigured("; ".join(error_lines(cls.model_fields, error, ADDRESS))) from None

    @property
    def broker(self) -> str:
        """The broker's address, for messages."""
        return self.address or "the address that Quix Cloud supplied"

    @property
    def http(self) -> tuple[str, int]:
        """Where the HTTP server listens: host and port."""
        return self.http_host, self.http_port

    def connection(self) -> ConnectionConfig | None:
        """The connection settings in Quix's form, or None if Quix Cloud supplies them."""
        if self.address is None:
            return None
        return ConnectionConfig(
            bootstrap_servers=self.address,
            security_protocol=self.security_protocol,
            sasl_mechanism=self.sasl_mechanism,
            sasl_username=self.sasl_username,
            sasl_password=self.sasl_password,
            ssl_ca_location=self.ssl_ca_location,
            ssl_certificate_location=self.ssl_certificate_location,
            ssl_key_location=self.ssl_key_location,
            ssl_key_password=self.ssl_key_password,
        )

    def effective(self) -> dict[str, object]:
        """Each setting that has a value, by variable name. Secrets are masked."""
        values = {str(field.validation_alias): getattr(self, name) for name, field in type(self).model_fields.items()}
        masked = {name: "***" if isinstance(value, SecretStr) else value for name, value in values.items()}
        return {name: value for name, value in masked.items() if value is not None}

    @model_validator(mode="after")
    def _check_quix_cloud(self) -> Self:
        if self.address is None and self.portal_api is None:
            raise ValueError(f"{PORTAL} must be set if {TOKEN} is; to use your own broker, set {ADDRESS} instead")
        return self

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        for name in ("ssl_ca_location", "ssl_certificate_location", "ssl_key_location"):
            path = getattr(self, name)
            if path is not None and (problem := pem_problem(path)):
                field = type(self).model_fields[name]
                raise ValueError(f"{field.validation_alias} must be {field.description} (got {path!r}: {problem})")
        return self

    @model_validator(mode="after")
    def _check_protocol(self) -> Self:
        parts = (self.security_protocol or "plaintext").split("_")
        for part, allowed in (("sasl", "sasl_ssl or sasl_plaintext"), ("ssl", "ssl or sasl_ssl")):
            fields = {name: field for name, field in type(self).model_fields.items() if name.startswith(f"{part}_")}
            variables = [str(field.validation_alias) for name, field in fields.items() if getattr(self, name)]
            if variables and part not in parts and self.address is not None:
                got = repr(self.security_protocol) if self.security_protocol else "none, which means plaintext"
                raise ValueError(f"BROKER_SECURITY_PROTOCOL must be {allowed} with {', '.join(variables)} (got {got})")
        return self

    @model_validator(mode="after")
    def _check_dependencies(self) -> Self:
        sasl = ("sasl_mechanism", "sasl_username", "sasl_password")
        required = sasl if (self.security_protocol or "").startswith("sasl") else ()
        if self.ssl_certificate_location or self.ssl_key_location:
            required = (*required, "ssl_certificate_location", "ssl_key_location")
        missing = [str(type(self).model_fields[name].validation_alias) for name in required if not getattr(self, name)]
        if missing:
            raise ValueError(f"the other BROKER_* settings also require: {', '.join(missing)}")
        return self


class Settings(BrokerSettings):
    """All settings of the pipeline."""

    consumer_group: Group = setting(
        "Quix__Consumer_Group",
        "user-login-pipeline",
        "1 to 200 printable ASCII characters, without a space or quote at its ends",
        "workers of the same group share the partitions and the committed offsets",
    )
    instance_id: Annotated[Instance | None, Unset] = setting(
        "INSTANCE_ID",
        None,
        "a name of at most 200 letters, digits, '.', '_' or '-'",
        "unique in the group; with it, a restart causes no rebalance",
    )
    input: Topic = setting("input", "user-login", TOPIC_NAME, "the topic to read")
    output: Topic = setting(
        "output", "processed-user-login", TOPIC_NAME, "the topic to write; must differ from `input`"
    )
    dead_letter: Annotated[Topic | None, Unset] = setting(
        "dead_letter",
        None,
        TOPIC_NAME,
        "if set, the original of each malformed record is also written to this topic",
    )
    processing_guarantee: Annotated[Literal["exactly-once", "at-least-once"], Lower] = setting(
        "PROCESSING_GUARANTEE", "exactly-once", "exactly-once or at-least-once", "whether a crash may duplicate records"
    )
    commit_every: Annotated[int, Field(ge=1, le=1_000_000)] = setting(
        "COMMIT_EVERY",
        10,
        "a whole number from 1 to 1000000",
        "commit after this many records, unless there is a backlog",
    )
    commit_interval: Annotated[float, Field(ge=0.01, le=10)] = setting(
        "COMMIT_INTERVAL", 1.0, "a number of seconds from 0.01 to 10", "commit at the latest after this time"
    )
    auto_offset_reset: Annotated[Literal["earliest", "latest", "error"], Lower] = setting(
        "AUTO_OFFSET_RESET",
        "earliest",
        "earliest, latest or error",
        "where to start without a committed offset: at the oldest record, after the newest (skips all), or exit",
    )
    auto_create_topics: bool = setting(
        "AUTO_CREATE_TOPICS",
        default=False,
        allowed="true or false",
        purpose="create missing topics; if false, a missing topic is an error",
    )

    @property
    def topics(self) -> list[str]:
        """The input topic, the output topic, and the dead-letter topic if there is one."""
        return [self.input, self.output, *([self.dead_letter] if self.dead_letter else [])]

    @model_validator(mode="after")
    def _check_topics_differ(self) -> Self:
        if self.input == self.output:
            raise ValueError(f"output must differ from input (both are {self.output!r})")
        if self.dead_letter in {self.input, self.output}:
            raise ValueError(f"dead_letter must differ from input and output (got {self.dead_letter!r})")
        return self
