"""Before the first record: the broker, Quix Cloud, the topics, the client's configuration."""
