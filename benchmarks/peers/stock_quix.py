"""Stock Quix Streams as its documentation shows it: JSON in, a function over a dict, JSON out, all defaults."""

import sys
from typing import Any

from quixstreams import Application


def upper(login: dict[str, Any]) -> dict[str, Any]:
    """Upper-case `device_type` if there is one."""
    if "device_type" in login:
        login["device_type"] = login["device_type"].upper()
    return login


def main(address: str, source: str, target: str, group: str, guarantee: Any) -> None:  # noqa: ANN401  (Quix's literal)
    """Run until SIGTERM."""
    app = Application(
        broker_address=address,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee=guarantee,
    )
    frame = app.dataframe(app.topic(source, value_deserializer="json"))
    frame = frame.apply(upper)
    frame.to_topic(app.topic(target, value_serializer="json"))
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
