"""The time limits of the pipeline, in seconds, and what derives from them.

README.md, docs/ and the error texts take their figures from here; tests compare them.
"""

# Start
START_TIMEOUT = 25.0
"""Until a broker, or Quix Cloud's API, answers. With the imports, a missing broker is reported within 35 s."""

FIRST_ATTEMPT_TIMEOUT = 1.0
"""For the first attempt of a request to a broker. Each further one has twice the time of the one before."""

SIGNAL_CHECK_INTERVAL = 1.0
"""A call into librdkafka that may wait for a long time is repeated with this timeout.

The handler of a signal only sets a flag, so the call would continue. The flag is checked in between.
"""

PORTAL_REQUEST_TIMEOUT = 5.0
"""For one request to Quix Cloud's API."""

CHECK_TIMEOUT = 30.0
"""For `python pipeline.py check`. With the imports, it ends within 35 s."""

DIAGNOSE_TIMEOUT = 2.0
"""For the connections of runtime/connect/diagnose.py and addresses.py."""

CLOSED_AT_ONCE = 2.0
"""A connection that ends within this time, before a request, was refused by the broker or by a proxy."""

COMMITTED_OFFSETS_TIMEOUT = 30.0
"""For a request for committed or available offsets."""

# One batch
IDLE_WAIT = 0.1
"""Wait for a record if none has arrived."""

COMMIT_WHEN_IDLE = 0.005
"""Handled records are committed if no record arrives within it. A commit takes about as long."""

LONG_BATCH = 1.0
"""A batch may take this long, even if COMMIT_INTERVAL ends. A usual one takes 0.05 s."""

BACKLOG_PAUSE = 0.05
"""A backlog may seem to end for this long, while the next records are fetched."""

BETWEEN_TRANSACTIONS = 0.004
"""From a commit to the next produced record.

A broker ends a transaction shortly after it answers the commit, and refuses records until then. librdkafka would then
wait for 20 ms (rdkafka_txnmgr.c, CONCURRENT_TRANSACTIONS).
"""

PARTITION_METADATA_TIMEOUT = 10.0
"""For the output topic to get a partition that was added to the input topic."""

QUEUE_ROOM_PAUSE = 0.005
"""Between two attempts to add a record to a full producer queue. A broker takes about as long for a batch."""

QUEUE_ROOM_TIMEOUT = 60.0
"""For space in a full producer queue. Inside a transaction, FLUSH_TIMEOUT applies."""

# Commit
FLUSH_TIMEOUT = 8.0
"""For the delivery of a transaction's records. The rest of COMMIT_TIMEOUT is for the commit itself."""

COMMIT_TIMEOUT = 14.0
"""For a commit, in addition to COMMIT_INTERVAL (`transaction.timeout.ms`). Then the broker aborts the transaction.

The transaction of a killed worker blocks readers for this time, plus up to 10 s until the broker's next check. It must
be longer than the 9 s after which a dead broker is replaced (broker.session.timeout.ms).
"""

COMMIT_TIMEOUT_WITH_INSTANCE_ID = 30.0
"""The same with an INSTANCE_ID. It may be longer: a restarted worker ends its old transaction at once."""

SESSION_TIMEOUT = COMMIT_TIMEOUT + 2.0
"""`session.timeout.ms`, in addition to COMMIT_INTERVAL: a dead worker's transaction ends before its session."""

POLL_TIMEOUT = 60.0
"""`max.poll.interval.ms`: a worker must poll again within it. Quix also uses it as the timeout of a flush."""

COMMIT_RETRY_TIMEOUT = 30.0
"""How long a commit is retried while the group has no coordinator. It must be shorter than POLL_TIMEOUT."""

COMMIT_RETRY_PAUSE = 0.2
"""Between two such retries."""

METADATA_REFRESH_AFTER = 7.0
"""A commit that takes longer requests metadata. Above `connections.max.idle.ms`: idle connections still close."""

METADATA_TIMEOUT = 3.0
"""For one such request."""

NO_PROGRESS_TIMEOUT = 60.0
"""If transactions have failed for this long, without a commit in between, they are not retried any more."""

RETRY_BACKOFF = 0.6
"""`retry.backoff.ms`. librdkafka retries EndTxn and AddOffsetsToTxn after at least 0.8 times this."""

REQUEST_MAY_REPEAT_AFTER = 0.4
"""A commit that takes longer may contain a retried request: TxnOffsetCommit after 0.5 s, the others as above."""

TOPIC_IDS_TIMEOUT = 12.0
"""For the topics' ids before a commit."""

TOPIC_IDS_REQUEST_TIMEOUT = 2.0
"""For the first such request. A later one has more, as answers may be slow."""

TOPIC_IDS_RETRY_PAUSE = 0.1
"""Between two such requests."""

TOPIC_IDS_INTERVAL = 1.0
"""Between two checks of the topics' ids while there is nothing to commit."""

TOPIC_DELETED_TIMEOUT = 5.0
"""For the metadata to confirm that a topic was deleted, after a request failed for that reason."""

CAUSE_TIMEOUT = 3.0
"""To ask the broker for the cause of an error that stops the pipeline: for each request."""

GROUP_REQUEST_TIMEOUT = 60.0
"""librdkafka's timeout of such a request to the group's coordinator. If the answer comes later, it aborts the process.

We wait for the answer for CAUSE_TIMEOUT.
"""

REPLACED_PAUSE = 15.0
"""From the moment when a worker is replaced by one with the same INSTANCE_ID to its end.

If a supervisor restarts both, they replace each other at most this often.
"""

# Stop
STOP_TIMEOUT = 55.0
"""For a shutdown, for example while no broker answers or takes records. Then the process is ended."""

STOP_CAUSE_TIMEOUT = 15.0
"""The last part of STOP_TIMEOUT, in which brokers are asked why the shutdown takes this long."""

REFUSAL_CHECK_AFTER = 10.0
"""For a shutdown, before the process checks whether the broker refuses its credentials. Then the process is ended."""

FAILURE_TIMEOUT = 15.0
"""For a shutdown after a failure: abort the transaction and leave the group, as the broker would do later."""

LAST_LINE_TIMEOUT = 2.0
"""For the last log line, in case standard error is blocked."""

JOIN_TIMEOUT = 4.0
"""For a rebalance to end at shutdown. It lasts until the slowest member's next heartbeat."""

# Health and logs
LIVE_TIMEOUT = 180.0
"""/live: longer than one iteration may wait for a broker (a flush and three commits) before the pipeline exits."""

READY_TIMEOUT = 15.0
"""/ready: much longer than a usual iteration, which takes less than 1 s."""

STALLED_AFTER = 60.0
"""/ready: a partition with waiting records is stalled if it makes no progress for this long."""

BROKER_SILENT_AFTER = 15.0
"""/ready: usually, a broker answers a fetch or a heartbeat every 3 s."""

PROBE_TIMEOUT = 4.0
"""For the health check of the container. It is shorter than the check's own timeout, so the reason is shown."""

CONNECTION_MAX_AGE = 10.0
"""The HTTP port closes a connection after this time, idle or not."""

HTTP_THREAD_TIMEOUT = 1.0
"""For each of the HTTP port's threads to end."""

WARN_INTERVAL = 60.0
"""Between two warnings of the same malformed reason."""

REPORT_INTERVAL = 60.0
"""Between two INFO lines with totals and lag."""

REPEATED_LINE_INTERVAL = 5.0
"""A library's repeated line is shown once in this time."""
