"""Records' headers, also where the name of one is not text, which confluent-kafka can't read."""

import codecs
from collections.abc import Sequence

from confluent_kafka import Message

from runtime.loop.output_record import Headers


def headers_of(messages: Sequence[Message]) -> list[Headers | None]:
    r"""Give the headers of each record as (name, value) pairs; None where it has none.

    Names are bytes to Kafka and text to confluent-kafka, which can neither read nor write one that is not UTF-8. Each
    byte of it that is not is therefore written as \xNN: the header stays, in its place, with its value.
    """
    # confluent-kafka decodes with the "strict" error handler. If that fails, 2.16.1 (measured) raises no clean error: a
    # SystemError first, then a UnicodeDecodeError, and a list with null pointers at the next call; the name is lost. So
    # "strict" is replaced while it reads. Other threads see that, too, for 0.3 ms per 10,000 records without headers.
    codecs.register_error("strict", codecs.backslashreplace_errors)
    try:
        found = [message.headers() for message in messages]
    finally:
        codecs.register_error("strict", codecs.strict_errors)
    # Python 3.14 then gives a string that differs from an equal one; a copy made of its bytes does not.
    return [headers and [(name.encode().decode(), value) for name, value in headers] for headers in found]
