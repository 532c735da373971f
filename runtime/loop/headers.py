"""Reads records' headers, including names that are not UTF-8, which confluent-kafka cannot read."""

import codecs
from collections.abc import Sequence

from confluent_kafka import Message

from runtime.loop.output_record import Headers


def headers_of(messages: Sequence[Message]) -> list[Headers | None]:
    r"""Give each record's headers as (name, value) pairs; None for a record without headers.

    Header names are bytes in Kafka and text in confluent-kafka, which only reads and writes UTF-8. So each byte that is
    not UTF-8 becomes the text \xNN. The header keeps its place and its value.
    """
    # confluent-kafka decodes with the "strict" error handler. If that fails, it leaves null pointers and an error that
    # surfaces somewhere later. So "strict" is replaced while it reads.
    codecs.register_error("strict", codecs.backslashreplace_errors)
    try:
        return [message.headers() for message in messages]
    finally:
        codecs.register_error("strict", codecs.strict_errors)
