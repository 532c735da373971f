"""Shows what the pipeline does: logs, counters and health."""
