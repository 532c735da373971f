"""The processing loop, from record to commit: the Quix Streams application and how it handles each batch."""
