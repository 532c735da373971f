"""Shows what the pipeline does: logs, counters, metrics, status page and health."""
