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
    # confluent-kafka decodes as strictly as it can, and leaves null pointers, an error that surfaces anywhere later on
    # and nothing of the name where that fails. So what "strict" does is another thing while it reads.
    codecs.register_error("strict", codecs.backslashreplace_errors)
    try:
        found = [message.headers() for message in messages]
    finally:
        codecs.register_error("strict", codecs.strict_errors)
    # Python 3.14 then gives a string that differs from an equal one; a copy made of its bytes does not.
    return [headers and [(name.encode().decode(), value) for name, value in headers] for headers in found]
