"""The settings: one frozen, typed class, read from the environment and, behind it, from `.env`."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from dotenv import dotenv_values
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator
from quixstreams.kafka import ConnectionConfig

from runtime.errors import Misconfigured

ENV_FILE = Path(__file__).parent.parent / ".env"
ADDRESS, TOKEN, PORTAL = "Quix__Broker__Address", "Quix__Sdk__Token", "Quix__Portal__Api"

Unset = BeforeValidator(lambda value: value or None)  # set to nothing is not set
Upper = BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)
Lower = BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)

Text = Annotated[str | None, Unset]
Secret = Annotated[SecretStr | None, Unset]
Name = Annotated[str, Field(pattern=r"\S")]
Instance = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,200}$")]
Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


def setting(name: str, default: object, allowed: str, purpose: str = "") -> Any:  # noqa: ANN401  (as pydantic's Field)
    """Declare a setting: the variable it is read from, its default, and, in words, what it may be and what for."""
    return Field(default=default, validation_alias=name, description=allowed, title=purpose)


class BrokerSettings(BaseModel):
    """Where the broker is, how to reach it, and how to log; the same names for every command here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    address: Text = setting(
        ADDRESS,
        "localhost:29092",
        "host:port[,host:port...]",
        "where the brokers are; one is enough to find the others",
    )
    sdk_token: Secret = setting(
        TOKEN, None, "set by Quix Cloud", "the platform then supplies the brokers and their credentials"
    )
    portal_api: Text = setting(PORTAL, None, "set by Quix Cloud", "the URL of its API")
    workspace_id: Text = setting("Quix__Workspace__Id", None, "set by Quix Cloud", "its name for the environment")
    security_protocol: Annotated[Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] | None, Unset, Lower] = (
        setting(
            "BROKER_SECURITY_PROTOCOL",
            None,
            "plaintext, ssl, sasl_plaintext or sasl_ssl",
            "whether to use TLS (ssl) and a login (sasl)",
        )
    )
    sasl_mechanism: Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None, Unset, Upper] = setting(
        "BROKER_SASL_MECHANISM", None, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", "how to log in"
    )
    sasl_username: Text = setting("BROKER_SASL_USERNAME", None, "text", "who logs in")
    sasl_password: Secret = setting("BROKER_SASL_PASSWORD", None, "text", "with which password")
    ssl_ca_location: Text = setting("BROKER_SSL_CA_LOCATION", None, "a file in PEM format", "the authorities to trust")
    ssl_certificate_location: Text = setting(
        "BROKER_SSL_CERTIFICATE_LOCATION", None, "a file in PEM format", "the client's certificate, for mutual TLS"
    )
    ssl_key_location: Text = setting("BROKER_SSL_KEY_LOCATION", None, "a file in PEM format", "its private key")
    ssl_key_password: Secret = setting(
        "BROKER_SSL_KEY_PASSWORD", None, "text", "the password of that key, if it has one"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Upper] = setting(
        "LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR", "DEBUG adds stack traces and each checkpoint"
    )
    log_format: Annotated[Literal["text", "json"], Lower] = setting(
        "LOG_FORMAT", "text", "text or json", "lines for people, or one JSON object a line"
    )
    health_port: Annotated[int, Field(ge=0, le=65_535)] = setting(
        "HEALTH_PORT", 0, "a port from 1 to 65535, or 0 for none", "where /live and /ready answer, on all interfaces"
    )

    @classmethod
    def load(cls, env_file: Path | None = None) -> Self:
        """Read the settings from the environment and, for what is not set there, from `env_file`.

        Raises:
            Misconfigured: one line that names each setting that is wrong and says what it may be.
        """
        values: dict[str, str | None] = {**(dotenv_values(env_file) if env_file else {}), **os.environ}
        if values.get(TOKEN) and not os.environ.get(ADDRESS):
            values[ADDRESS] = None
        elif not values.get(ADDRESS):
            values.pop(ADDRESS, None)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise Misconfigured("; ".join(cls._lines(error))) from None

    @property
    def broker(self) -> str:
        """Where the broker is, in a message's words."""
        return self.address or "the address that Quix Cloud supplied"

    def connection(self) -> ConnectionConfig | None:
        """Quix's description of the connection; None where Quix Cloud supplies it."""
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
        """Every setting that has a value, by the name of its variable; secrets are masked."""
        values = {str(field.validation_alias): getattr(self, name) for name, field in type(self).model_fields.items()}
        masked = {name: "***" if isinstance(value, SecretStr) else value for name, value in values.items()}
        return {name: value for name, value in masked.items() if value is not None}

    @model_validator(mode="after")
    def _check_quix_cloud(self) -> Self:
        if self.address is None and self.portal_api is None:
            raise ValueError(f"{PORTAL} is not set, but {TOKEN} is; for a broker of your own, set {ADDRESS} instead")
        return self

    @model_validator(mode="after")
    def _files_are_there(self) -> Self:
        for name in ("ssl_ca_location", "ssl_certificate_location", "ssl_key_location"):
            path = getattr(self, name)
            if path is not None and not Path(path).is_file():
                raise ValueError(f"{type(self).model_fields[name].validation_alias} names no file: {path}")
        return self

    @model_validator(mode="after")
    def _check_dependencies(self) -> Self:
        sasl = ("sasl_mechanism", "sasl_username", "sasl_password")
        wanted = sasl if (self.security_protocol or "").startswith("sasl") else ()
        if self.ssl_certificate_location or self.ssl_key_location:
            wanted = (*wanted, "ssl_certificate_location", "ssl_key_location")
        lacking = [str(type(self).model_fields[name].validation_alias) for name in wanted if not getattr(self, name)]
        if lacking:
            raise ValueError(f"not set, but needed by the other BROKER_* settings: {', '.join(lacking)}")
        return self

    @classmethod
    def _lines(cls, error: ValidationError) -> list[str]:
        fields = {field.validation_alias: field for field in cls.model_fields.values()}
        lines = []
        for problem in error.errors():
            if problem["loc"]:
                name = str(problem["loc"][0])
                lines.append(f"{name} is {problem['input']!r}, but may be: {fields[name].description}")
            else:
                lines.append(problem["msg"].removeprefix("Value error, "))
        return lines


class Settings(BrokerSettings):
    """All settings of the pipeline."""

    consumer_group: Name = setting(
        "Quix__Consumer_Group",
        "user-login-pipeline",
        "text",
        "workers with the same one share the partitions and their offsets",
    )
    instance_id: Annotated[Instance | None, Unset] = setting(
        "INSTANCE_ID",
        None,
        "a name that this worker keeps and no other of its group has",
        "a restart goes on without a rebalance",
    )
    input: Topic = setting("input", "user-login", "a topic's name", "what is read")
    output: Topic = setting("output", "processed-user-login", "another topic's name", "what is written")
    processing_guarantee: Annotated[Literal["exactly-once", "at-least-once"], Lower] = setting(
        "PROCESSING_GUARANTEE", "exactly-once", "exactly-once or at-least-once", "see Guarantees"
    )
    commit_every: Annotated[int, Field(ge=1, le=1_000_000)] = setting(
        "COMMIT_EVERY", 10, "a whole number of records from 1 to 1000000", "commit after so many, while not behind"
    )
    commit_interval: Annotated[float, Field(ge=0.01, le=10)] = setting(
        "COMMIT_INTERVAL", 1.0, "a number of seconds from 0.01 to 10", "commit at the latest after this time"
    )
    auto_offset_reset: Annotated[Literal["earliest", "latest", "error"], Lower] = setting(
        "AUTO_OFFSET_RESET",
        "earliest",
        "earliest, latest or error",
        "where to begin without a committed offset: at the oldest record, at the newest (skips the others), or nowhere",
    )
    auto_create_topics: bool = setting(
        "AUTO_CREATE_TOPICS",
        default=False,
        allowed="true or false",
        purpose="make missing topics, or stop where one is missing",
    )

    @model_validator(mode="after")
    def _topics_differ(self) -> Self:
        if self.input == self.output:
            raise ValueError(f"output is {self.output!r}, but may be: another topic's name than input")
        return self
