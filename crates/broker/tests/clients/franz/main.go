// Produces with an idempotent producer and reads back in a group.
//
// Arguments: bootstrap, topic (of three partitions). Prints what came, in order.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	bootstrap, topic := os.Args[1], os.Args[2]
	within, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumerGroup(topic+"-group"),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	fail(err)
	for n := range 30 {
		record := &kgo.Record{
			Topic:     topic,
			Partition: int32(n % 3),
			Key:       fmt.Appendf(nil, "k%d", n),
			Value:     fmt.Appendf(nil, "v%d", n),
		}
		fail(client.ProduceSync(within, record).FirstErr())
	}
	var seen []string
	for len(seen) < 30 {
		fetches := client.PollFetches(within)
		fail(fetches.Err0())
		fetches.EachRecord(func(r *kgo.Record) {
			seen = append(seen, fmt.Sprintf("%d %02d %s %s", r.Partition, r.Offset, r.Key, r.Value))
		})
	}
	fail(client.CommitUncommittedOffsets(within))
	client.Close()
	sort.Strings(seen)
	for _, line := range seen {
		fmt.Println(line)
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
