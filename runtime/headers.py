"""A record's headers, also where confluent-kafka can't read the name of one."""

import gc

from confluent_kafka import Message

from runtime.output import Headers


def headers_of(message: Message) -> Headers | None:
    r"""Give a record's headers as (name, value) pairs.

    Names are bytes to Kafka and text to confluent-kafka, which can neither read nor write one that is not UTF-8. Each
    byte of it that is not is therefore written as \xNN: the header stays, in its place, with its value.
    """
    try:
        headers: Headers | None = message.headers()
    except SystemError as error:
        return _with_readable_names(message, error.__cause__)
    return headers


def _with_readable_names(message: Message, cause: BaseException | None) -> Headers:
    # The second call gives the list that the first one could not: the pairs lack the names that are not UTF-8, as null
    # pointers that must not be touched. The decoding error holds the last such name; of earlier ones nothing is left.
    last = cause.object.decode(errors="backslashreplace") if isinstance(cause, UnicodeDecodeError) else "\\xff"
    readable: Headers = []
    for pair in reversed(message.headers()):
        if len(gc.get_referents(pair)) == len(pair):
            readable.append(pair)
        else:
            readable.append((last, pair[1]))
            last = "\\xff"
    return readable[::-1]
