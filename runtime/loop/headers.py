"""Reads records' headers, including names that are not UTF-8, which confluent-kafka cannot read."""

import codecs
import sys
from collections.abc import Sequence

from confluent_kafka import Message

from runtime.loop.output_record import Headers


def headers_of(messages: Sequence[Message]) -> list[Headers | None]:
    r"""Give each record's headers as (name, value) pairs, or None for a record without headers.

    Header names are bytes in Kafka and text in confluent-kafka, which only reads and writes UTF-8. So each byte that is
    not UTF-8 becomes the text \xNN. The header keeps its place and its value.
    """
    # confluent-kafka decodes with the "strict" error handler. If that fails, 2.16.1 (measured) raises no clean error: a
    # SystemError first, then a UnicodeDecodeError, and a list with null pointers at the next call; the name is lost. So
    # "strict" is replaced while it reads. Other threads see that, too, for 0.3 ms per 10,000 records without headers.
    codecs.register_error("strict", codecs.backslashreplace_errors)
    try:
        found: list[Headers | None] = [message.headers() for message in messages]
    finally:
        codecs.register_error("strict", codecs.strict_errors)
    if sys.version_info >= (3, 14):  # there, such a string differs from an equal one; a copy made of its bytes does not
        found = [headers and [(name.encode().decode(), value) for name, value in headers] for headers in found]
    return found
