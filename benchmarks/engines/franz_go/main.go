// A plain loop over franz-go: fetch, map, produce without waiting, well tuned; it guarantees nothing.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// main runs until SIGTERM; the arguments are address, source, target and group.
func main() {
	address, source, target, group := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	client, err := kgo.NewClient(
		kgo.SeedBrokers(address),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(source),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DefaultProduceTopic(target),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.MaxBufferedRecords(500_000),
	)
	check(err)
	defer client.Close()
	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	for {
		fetches := client.PollFetches(stopped)
		if stopped.Err() != nil {
			break
		}
		check(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			mapped := &kgo.Record{Key: record.Key, Value: upper(record.Value)}
			client.Produce(context.Background(), mapped, func(_ *kgo.Record, err error) { check(err) })
		})
	}
	check(client.Flush(context.Background()))
}

// upper upper-cases device_type; the other members pass as they are.
func upper(value []byte) []byte {
	var login map[string]json.RawMessage
	check(json.Unmarshal(value, &login))
	if member, found := login["device_type"]; found {
		var text string
		check(json.Unmarshal(member, &text))
		member, err := json.Marshal(strings.ToUpper(text))
		check(err)
		login["device_type"] = member
	}
	mapped, err := json.Marshal(login)
	check(err)
	return mapped
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
