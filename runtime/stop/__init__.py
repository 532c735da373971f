"""How the process stops: signals, and leaving the consumer group."""
