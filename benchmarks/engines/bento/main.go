// Bento with its inputs and outputs on franz-go, 1,000 records at once, and a Bloblang mapping.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/warpstreamlabs/bento/public/components/io"
	_ "github.com/warpstreamlabs/bento/public/components/kafka"
	_ "github.com/warpstreamlabs/bento/public/components/pure"
	"github.com/warpstreamlabs/bento/public/service"
)

const config = `
logger:
  level: ERROR
input:
  kafka_franz:
    seed_brokers: ["%[1]s"]
    topics: ["%[2]s"]
    consumer_group: "%[4]s"
    checkpoint_limit: 100000
    batching: {count: 1000, period: 5ms}
pipeline:
  processors:
    - mapping: |
        root = this
        root.device_type = if this.exists("device_type") { this.device_type.uppercase() } else { deleted() }
output:
  kafka_franz:
    seed_brokers: ["%[1]s"]
    topic: "%[3]s"
    key: ${! metadata("kafka_key") }
    compression: lz4
`

// main runs until SIGTERM; the arguments are address, source, target and group.
func main() {
	builder := service.NewStreamBuilder()
	check(builder.SetYAML(fmt.Sprintf(config, os.Args[1], os.Args[2], os.Args[3], os.Args[4])))
	stream, err := builder.Build()
	check(err)
	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := stream.Run(stopped); stopped.Err() == nil {
		check(err)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
