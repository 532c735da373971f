"""Faults under load on a real Kafka, and the checks that nothing was lost or doubled: `make faults`."""
