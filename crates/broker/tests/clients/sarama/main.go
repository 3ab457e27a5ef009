// Produces with an idempotent producer and in a transaction, and reads back in a group.
//
// Arguments: bootstrap, topic (of three partitions). Prints what came, in order.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"time"

	"github.com/IBM/sarama"
)

const records = 30

func main() {
	bootstrap, topic := []string{os.Args[1]}, os.Args[2]
	produce(bootstrap, topic, "v", settings())
	inTransaction := settings()
	inTransaction.Producer.Transaction.ID = topic + "-transaction"
	produce(bootstrap, topic, "t", inTransaction)

	within, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	group, err := sarama.NewConsumerGroup(bootstrap, topic+"-group", settings())
	fail(err)
	reader := &reader{seen: make(chan string, 2*records)}
	go func() {
		for within.Err() == nil {
			fail(group.Consume(within, []string{topic}, reader))
		}
	}()
	var seen []string
	for len(seen) < 2*records {
		select {
		case line := <-reader.seen:
			seen = append(seen, line)
		case <-within.Done():
			fail(within.Err())
		}
	}
	sort.Strings(seen)
	for _, line := range seen {
		fmt.Println(line)
	}
}

func settings() *sarama.Config {
	settings := sarama.NewConfig()
	settings.Version = sarama.MaxVersion
	settings.Net.MaxOpenRequests = 1
	settings.Producer.Idempotent = true
	settings.Producer.RequiredAcks = sarama.WaitForAll
	settings.Producer.Return.Successes = true
	settings.Producer.Partitioner = sarama.NewManualPartitioner
	settings.Producer.Compression = sarama.CompressionZSTD
	settings.Consumer.Offsets.Initial = sarama.OffsetOldest
	settings.Consumer.IsolationLevel = sarama.ReadCommitted
	return settings
}

func produce(bootstrap []string, topic, prefix string, settings *sarama.Config) {
	producer, err := sarama.NewSyncProducer(bootstrap, settings)
	fail(err)
	if producer.IsTransactional() {
		fail(producer.BeginTxn())
	}
	for n := range records {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{
			Topic:     topic,
			Partition: int32(n % 3),
			Key:       sarama.StringEncoder(fmt.Sprintf("k%d", n)),
			Value:     sarama.StringEncoder(fmt.Sprintf("%s%d", prefix, n)),
		})
		fail(err)
	}
	if producer.IsTransactional() {
		fail(producer.CommitTxn())
	}
	fail(producer.Close())
}

type reader struct{ seen chan string }

func (r *reader) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (r *reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (r *reader) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, open := <-claim.Messages():
			if !open {
				return nil
			}
			r.seen <- fmt.Sprintf("%d %02d %s %s", message.Partition, message.Offset, message.Key, message.Value)
			session.MarkMessage(message, "")
		case <-session.Context().Done():
			return nil
		}
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
