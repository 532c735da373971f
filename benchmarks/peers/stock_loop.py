"""This pipeline with one record at a time, to measure the benefit of batches."""

import sys

import pipeline
from benchmarks.single_records import SingleRecords
from runtime.settings import Settings
from runtime.stop.signals import stop_request


def main(address: str, source: str, target: str, group: str, guarantee: str) -> None:
    """Run until SIGTERM."""
    stop_request.listen()
    settings = Settings.model_validate(
        {
            "Quix__Broker__Address": address,
            "input": source,
            "output": target,
            "Quix__Consumer_Group": group,
            "PROCESSING_GUARANTEE": guarantee,
            "COMMIT_EVERY": 1_000_000,  # this loop would commit after every ten records
        }
    )
    pipeline.Application = SingleRecords  # type: ignore[attr-defined]
    pipeline.build(settings).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
