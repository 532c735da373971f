"""Every time limit of the pipeline, in seconds, with what derives from it.

Rows of docs/operations.md, README.md and the error texts take their figures from here.
"""

# Start
START_TIMEOUT = 25.0
"""For a broker, or Quix Cloud's API, to answer. With the imports, a missing broker is reported within 35 s."""

PORTAL_REQUEST_TIMEOUT = 5.0
"""For one answer of Quix Cloud's API."""

DIAGNOSE_TIMEOUT = 2.0
"""For the connections that find out why librdkafka cannot connect."""

COMMITTED_OFFSETS_TIMEOUT = 30.0
"""For the broker to tell the committed offsets and the range of partitions."""

# One batch
IDLE_WAIT = 0.1
"""How long to wait for a record if none has arrived."""

COMMIT_WHEN_IDLE = 0.005
"""After so long without a new record, handled records are committed. About as long as a commit takes."""

LONG_BATCH = 1.0
"""A batch may always take so long; a usual one takes 0.05 s."""

BETWEEN_TRANSACTIONS = 0.004
"""From a commit to the next record that is produced.

A broker ends a transaction a little after it answered the commit, and refuses records until then: librdkafka then waits
for 20 ms (rdkafka_txnmgr.c, CONCURRENT_TRANSACTIONS).
"""

PARTITION_METADATA_TIMEOUT = 10.0
"""For the output topic to gain a partition that the input topic has gained."""

QUEUE_ROOM_TIMEOUT = 60.0
"""For a full producer queue to get room; inside a transaction, FLUSH_TIMEOUT."""

# Commit
FLUSH_TIMEOUT = 8.0
"""For the broker to take a transaction's records; the rest of COMMIT_TIMEOUT is for the commit itself."""

COMMIT_TIMEOUT = 14.0
"""For a commit, beyond COMMIT_INTERVAL; then the broker aborts the transaction.

Until then, plus up to 10 s between two checks of the broker, a killed worker's transaction holds readers back. A dead
broker is replaced after 9 s (broker.session.timeout.ms), and the new leaders must still be in time.
"""

COMMIT_TIMEOUT_WITH_INSTANCE_ID = 30.0
"""The same with an INSTANCE_ID: a restarted worker ends the transaction of its earlier process at once."""

SESSION_TIMEOUT = COMMIT_TIMEOUT + 2.0
"""`session.timeout.ms`, beyond COMMIT_INTERVAL: a dead worker's transaction ends before its session."""

POLL_TIMEOUT = 60.0
"""`max.poll.interval.ms`: a worker must ask for records again within it. Quix waits as long for a flush."""

COMMIT_RETRY_TIMEOUT = 30.0
"""How long a commit is retried while the group has no coordinator; must be shorter than POLL_TIMEOUT."""

COMMIT_RETRY_PAUSE = 0.2
"""Between two such retries."""

METADATA_REFRESH_AFTER = 7.0
"""A commit that takes longer asks for metadata; above `connections.max.idle.ms`, so that it keeps none open."""

METADATA_TIMEOUT = 3.0
"""For one such answer."""

NO_PROGRESS_TIMEOUT = 60.0
"""Without a commit for so long, a transaction that the broker takes too slowly is not tried again."""

RETRY_BACKOFF = 0.6
"""`retry.backoff.ms`. librdkafka repeats EndTxn and AddOffsetsToTxn after 0.8 times this at the soonest."""

REQUEST_MAY_REPEAT_AFTER = 0.4
"""After so long, a request of a commit may have been repeated: TxnOffsetCommit after 0.5 s, the others as above."""

TOPIC_IDS_TIMEOUT = 12.0
"""For the brokers to tell the topics' ids before a commit."""

TOPIC_IDS_REQUEST_TIMEOUT = 2.0
"""For one broker to tell them."""

TOPIC_IDS_RETRY_PAUSE = 0.1
"""Between two such requests."""

TOPIC_IDS_INTERVAL = 1.0
"""Between two checks of the topics' ids while there is nothing to commit."""

TOPIC_GONE_TIMEOUT = 5.0
"""For the metadata to confirm an error that says that a topic is gone."""

# Stop
STOP_TIMEOUT = 55.0
"""For a shutdown while the broker is away."""

FAILURE_TIMEOUT = 15.0
"""For a shutdown after a failure: abort the transaction, which the broker does by itself otherwise; leave the group."""

LAST_LINE_TIMEOUT = 2.0
"""For the last line, in case nothing reads standard error."""

JOIN_TIMEOUT = 4.0
"""For a rebalance to end at shutdown; it takes until the slowest member's next heartbeat."""

# Health and logs
LIVE_TIMEOUT = 180.0
"""/live: above what one iteration may wait for a broker (a flush and three commits) until the pipeline ends itself."""

READY_TIMEOUT = 15.0
"""/ready: far above a usual iteration, which takes less than 1 s."""

STALLED_AFTER = 60.0
"""/ready: a partition with records left that makes no progress for so long is stalled."""

BROKER_SILENT_AFTER = 15.0
"""/ready: brokers answer a fetch or a heartbeat every 3 s."""

PROBE_TIMEOUT = 4.0
"""For /ready to answer the container's health check; below that check's own timeout, so that the reason is shown."""

CONNECTION_MAX_AGE = 10.0
"""The health port closes a connection after so long, idle or not."""

HTTP_THREAD_TIMEOUT = 1.0
"""For each of the health port's two threads to end."""

WARN_INTERVAL = 5.0
"""Between two warnings of one malformed reason."""

REPEATED_LINE_INTERVAL = 5.0
"""A library's warning is shown once in so long."""
