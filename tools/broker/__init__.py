"""An Apache Kafka of one or more nodes, without Docker: `python -m tools.broker`."""
