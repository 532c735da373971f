"""Faults under load on a real Kafka, and checks that nothing is lost or duplicated: `make faults`."""
